"""What a failure means beyond its row: throttling, another request shape, or the end of the run."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NoReturn

from llmbatch.core.errors import ComeBackLater, RunStopped
from llmbatch.core.redact import Redactor
from llmbatch.core.service_tiers import is_served_as_asked
from llmbatch.engine.alike import FailuresInARow
from llmbatch.engine.plan import Plan
from llmbatch.engine.request_fallbacks import RequestFallbacks
from llmbatch.engine.row_state import RowState
from llmbatch.engine.throttle.throttle import Throttle
from llmbatch.observe.events import Event, MachineLacks, NotAnsweredYet, ServiceTierChanged, WindowStated
from llmbatch.provider.failures import Action, Failure
from llmbatch.provider.retry import RetryPolicy

_PAUSE_S = 1.0
_LONGEST_WAIT_S = 10 * 365 * 86400.0  # a server can send any number, but dates have limits


class FailurePolicy:
    """Acts on failures for the whole run. Keeps counts, since the first rows and repeated failures weigh more."""

    def __init__(
        self,
        throttle: Throttle,
        fallbacks: RequestFallbacks,
        policy: RetryPolicy,
        redact: Redactor,
        plan: Plan,
        *,
        emit: Callable[[Event], None],
    ) -> None:
        self._throttle = throttle
        self._fallbacks = fallbacks
        self._policy = policy
        self._redact = redact
        self._plan = plan
        self._emit = emit
        self._alike = FailuresInARow()
        self._answered = 0
        self._is_tier_reported = False
        self._reported_lacks = set[str]()
        self.labelled = 0
        """Rows that got a label in this session."""
        self.window: int | None = None
        """The model's window in tokens, as stated in an error."""

    def row_began(self, state: RowState) -> None:
        """Record that a row is about to be sent."""
        state.number = self._alike.row_began()

    def answered(self, state: RowState) -> None:
        """Record that the endpoint answered a request, whether or not the answer is usable."""
        self._answered += 1
        self._fallbacks.accepted(state.sent_as)
        self._compare_tier(state)

    def row_labelled(self, state: RowState) -> None:
        """Record that a row got its label, so not all rows fail the same way."""
        self.labelled += 1
        self._alike.row_labelled(state.number)
        self._fallbacks.came_whole(state.room, state.completion)

    def attempt_failed(self, failure: Failure, state: RowState) -> Failure:
        """Apply an attempt's failure to the whole run, and count it.

        Returns:
            The failure as it applies to the row.

        Raises:
            RunStopped: it stops the run.
        """
        in_outage = self._throttle.outage_s > 0
        if failure.action is Action.ADAPT:
            failure = self._adapted(failure, state)
        elif failure.once_working is not None and self._concerns_the_row(failure.once_working, state):
            failure = failure.once_working
        if failure.wait_s is not None and failure.wait_s > self._policy.max_wait_s:
            self._halt_until(failure.wait_s, self._way_around(failure))
        if failure.action is Action.STOP:
            if failure.status == HTTPStatus.FORBIDDEN:  # maybe due to its document: next session, others first
                state.refusal = failure.once_working
            self._halt(failure)
        if failure.window is not None:
            self._learn_window(failure.window)
        try:
            self._throttle.failed(failure)
        except ComeBackLater as later:
            hint = f"{later.hint}{self._way_around(failure)}"
            raise ComeBackLater(later.message, wait_s=later.wait_s, hint=hint) from None
        if failure.action is Action.REASK and failure.kind == "truncated":
            state.room = self._fallbacks.room_after_cut(state.room, state.completion)
        self._count_alike(failure, state)
        state.attempts.note(failure, in_outage=in_outage)
        return failure

    def will_be_repeated(self, failure: Failure, wait_s: float, state: RowState) -> None:
        """An attempt will be retried after `wait_s`. A refusal without a stated wait briefly holds all rows."""
        if failure.action is Action.THROTTLE and failure.wait_s is None and not failure.is_of_this_machine:
            self._throttle.hold(min(wait_s, _PAUSE_S))
        if failure.is_of_this_machine:
            self._report_lack(failure)
        elif not self._answered and not self._throttle.outage_s and failure.action in (Action.RETRY, Action.THROTTLE):
            attempt = None if failure.action is Action.THROTTLE else state.attempts.counted + 1
            message = self._redact(failure.message)
            self._emit(NotAnsweredYet(failure.kind, message, self.wait_s(wait_s), attempt, self._policy.attempts))

    def wait_s(self, seconds: float) -> float:
        """How long a row waits before it is sent again: not at all in an outage, since probes are timed separately."""
        return 0.0 if self._throttle.outage_s else min(seconds, self._throttle.patience_s)

    def row_failed(self, failure: Failure) -> None:
        """A row has used up its attempts.

        Raises:
            RunStopped: nothing has been answered yet and the endpoint is at fault, so every other row would fail too.
        """
        if failure.may_be_outage and not self._answered:
            raise ComeBackLater(
                f"endpoint down ({failure.kind}): {self._redact(failure.message)}",
                hint=f"check --base-url, or run the same command again later{self._way_around(failure)}",
            )

    def _report_lack(self, failure: Failure) -> None:
        if failure.message not in self._reported_lacks:
            self._reported_lacks.add(failure.message)
            self._emit(MachineLacks(failure.message, failure.hint or ""))

    def _way_around(self, failure: Failure) -> str:
        """An alternative if a service tier has no capacity, for hints."""
        tier = self._fallbacks.shape.service_tier
        return f"; without --service-tier {tier} it does not wait" if tier and failure.is_without_capacity else ""

    def _compare_tier(self, state: RowState) -> None:
        """Report, once, that answers come from another service tier than requested."""
        asked = None if state.sent_as is None else state.sent_as.service_tier
        served = None if state.completion is None else state.completion.service_tier
        if self._is_tier_reported or asked is None or (served is not None and is_served_as_asked(asked, served)):
            return
        self._is_tier_reported = True
        self._emit(ServiceTierChanged(asked, None if served is None else self._redact(served)))

    def _learn_window(self, window: int) -> None:
        """Record the model's window for later sessions.

        Raises:
            RunStopped: the prompt alone fills it.
        """
        if self.window is None:
            self._emit(WindowStated(self._plan.question.model, window))
        self.window = window
        taken = self._plan.prefix_tokens + self._fallbacks.shape.max_output_tokens
        if taken >= window:
            raise RunStopped(
                f"the task's prompt and an answer ({taken:,} tokens) fill the model's window ({window:,})",
                hint="shorten the task, or serve the model with a larger window",
                concerns_model=True,
            )

    def _concerns_the_row(self, failure: Failure, state: RowState) -> bool:
        """Whether the row itself is at fault: others are served, or it failed this way in an earlier session."""
        return self._answered > 0 or state.failed_before == failure.kind

    def _adapted(self, failure: Failure, state: RowState) -> Failure:
        """Adapt the shape; one that the endpoint has accepted is not abandoned for a single row."""
        is_still_sent = state.sent_as == self._fallbacks.shape
        if failure.once_working is not None and is_still_sent and self._fallbacks.is_accepted(state.sent_as):
            return failure.once_working
        if not self._fallbacks.adapt(failure, state.sent_as):
            self._halt(failure)
        return failure

    def _count_alike(self, failure: Failure, state: RowState) -> None:
        if failure.alike_stops is None or state.failed_before is not None or state.number < 0:
            return
        rows = self._alike.row_failed(state.number, failure.kind, failure.alike_stops)
        if rows is not None:
            self._halt(failure, f"{rows} consecutive rows failed the same way: ")

    def _halt(self, failure: Failure, why: str = "") -> NoReturn:
        raise stopped_by(failure, self._redact, why)

    def _halt_until(self, wait_s: float, way_around: str) -> NoReturn:
        then = datetime.now(UTC) + timedelta(seconds=min(wait_s, _LONGEST_WAIT_S))
        raise ComeBackLater(
            f"the endpoint asks to wait {wait_s:,.0f} s, longer than --max-wait {self._policy.max_wait_s:,.0f}",
            wait_s=wait_s,
            hint=f"run the same command again after {then:%Y-%m-%dT%H:%M:%SZ}{way_around}",
        )


def stopped_by(failure: Failure, redact: Redactor, why: str = "") -> RunStopped:
    """The error that stops a run whose requests would all fail this way; `why` starts the message."""
    status = f" (HTTP {failure.status})" if failure.status else ""
    return RunStopped(
        f"{why}{failure.kind}{status}: {redact(failure.message)}",
        hint=_HINTS.get(failure.kind),
        exit_code=failure.exit_code,
        concerns_model=failure.kind in _OF_THE_MODEL,
    )


_OF_THE_MODEL = frozenset({"model_not_found", "bad_parameter", "bad_request"})
_HINTS = {
    "quota": "top up the account or raise its limit, then run the same command again: finished rows are kept",
    "credentials": "check OPENAI_API_KEY (or the dialect's own) and its permissions, then run the same command again",
    "model_not_found": "check --model, or --embedding-model, and --base-url: the endpoint does not serve it to you",
    "bad_parameter": "the endpoint accepts none of the request forms that llmbatch knows; check --model and --base-url",
    "not_a_completion": "check --base-url: it should end in /v1 and not lead to a login page or a proxy",
    "refused": "check the API key, and any proxy between you and the endpoint; finished rows are kept",
    "proxy": "check HTTPS_PROXY and NO_PROXY: the proxy refuses the connection, not the endpoint",
    "redirect": "use the final address as --base-url",
    "tls": "set SSL_CERT_FILE to your own certificate file (REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are not read)",
}
