"""How requests are sent."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli import bounds
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.cli.options.patience import VALUES, Patience, PatientValues, timeout_words
from llmbatch.core import defaults
from llmbatch.core.service_tiers import ServiceTier

if TYPE_CHECKING:
    from llmbatch.cli.options.money import MoneyOptions
    from llmbatch.engine.packing.plans import AutoPacking, Packing
    from llmbatch.engine.sending import Sending

_NORMAL = VALUES[Patience.normal]
_MOST_AT_ONCE = 10_000
"""Limit of connections: a process has a few thousand file descriptors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingOptions(OptionGroup):
    """Where requests go, how many at once, how patiently."""

    panel: ClassVar[str] = "Sending"

    service_tier: Annotated[
        ServiceTier | None,
        Option(
            "Service tier; flex: half the price, slower, retried when capacity is short.",
            shown_default="the endpoint's own",
        ),
    ] = None
    base_url: Annotated[
        str | None,
        Option(
            "An OpenAI-compatible endpoint, as https://HOST/v1.",
            shown_default="OpenAI's",
            variables=("LLMBATCH_BASE_URL", "OPENAI_BASE_URL"),
            is_sensitive=True,
        ),
    ] = None
    dialect: Annotated[
        str, Option("Wire protocol of the endpoint: OpenAI's, or a plug-in's.", metavar="NAME", is_sensitive=True)
    ] = defaults.DIALECT
    api_version: Annotated[str | None, Option("Azure OpenAI: send to the deployment, with this API version.")] = None
    insecure_http: Annotated[
        bool, Option("Send the API key to a public host without encryption.", is_sensitive=True)
    ] = False
    offline: Annotated[
        bool,
        Option(
            "Use the built-in offline endpoint: no key, no network, no model.",
            brief="Rehearse: no key, no network, no model.",
        ),
    ] = False
    fault: Annotated[
        list[str] | None,
        Option("With --offline: a fault of the endpoint, as rate_limit=5%. Repeatable.", metavar="SPEC"),
    ] = None
    concurrency: Annotated[
        str,
        Option(
            "Requests in flight at once; auto adapts to what the endpoint handles.",
            brief="Requests in flight at once; auto adapts.",
            short="-c",
            metavar="N|auto",
        ),
    ] = defaults.CONCURRENCY
    rows_per_request: Annotated[
        str,
        Option(
            "Rows that share a request and so the cost of the prompt; auto: as many as a comparison supports.",
            metavar="N|auto",
        ),
    ] = "1"
    max_packing_loss: Annotated[
        str,
        Option(
            "With auto: share of rows whose label may suffer from sharing, at the interval's upper end.", metavar="P%"
        ),
    ] = f"{defaults.MAX_PACKING_LOSS}%"
    rpm: Annotated[
        float | None,
        Option("Requests per minute.", min=0.001, max=bounds.MOST_A_MINUTE, shown_default="what the endpoint states"),
    ] = None
    tpm: Annotated[
        float | None,
        Option("Tokens per minute.", min=0.001, max=bounds.MOST_A_MINUTE, shown_default="what the endpoint states"),
    ] = None
    rate_store: Annotated[
        str | None,
        Option(
            "Where rate limits are shared with other processes; off: as if this process were alone.",
            metavar="FILE|postgresql://...|off",
            shown_default="the user's",
            is_sensitive=True,
            is_path=True,
        ),
    ] = None
    patience: Annotated[
        Patience,
        Option(
            "How often and how long to try: sets attempts, timeout, both back-offs, max-wait, reask and "
            "grace; any of them given explicitly takes precedence.",
        ),
    ] = Patience.normal
    attempts: Annotated[
        int | None,
        Option(
            "How often a row is sent before it fails.",
            min=1,
            max=bounds.MOST_ATTEMPTS,
            shown_default=str(_NORMAL.attempts),
        ),
    ] = None
    timeout: Annotated[
        float | None,
        Option(
            "Maximum seconds for one whole request.",
            min=0.001,
            max=bounds.MOST_SECONDS,
            shown_default=timeout_words(_NORMAL),
        ),
    ] = None
    retry_wait_min: Annotated[
        float | None,
        Option(
            "Shortest back-off, seconds.",
            min=0,
            max=bounds.MOST_SECONDS,
            shown_default=f"{_NORMAL.retry_wait_min:g}",
        ),
    ] = None
    retry_wait_max: Annotated[
        float | None,
        Option(
            "Longest back-off, seconds.",
            min=0,
            max=bounds.MOST_SECONDS,
            shown_default=f"{_NORMAL.retry_wait_max:g}",
        ),
    ] = None
    max_wait: Annotated[
        float | None,
        Option(
            "Longest wait that a server may ask for, seconds; a longer one ends the run with exit code 7.",
            min=0,
            max=bounds.MOST_SECONDS,
            shown_default=f"{_NORMAL.max_wait:g}",
        ),
    ] = None
    deadline: Annotated[
        str | None,
        Option(
            "Stop sending after this time span, or at this time of day: exit code 7; the same command resumes.",
            brief="Stop by then; the same command resumes.",
            metavar="6h|HH:MM",
        ),
    ] = None
    reask: Annotated[
        int | None,
        Option(
            "How often to re-ask after an unusable answer.",
            min=0,
            max=bounds.MOST_ATTEMPTS,
            shown_default=str(_NORMAL.reask),
        ),
    ] = None
    stop_at_failures: Annotated[
        str,
        Option("Share of the latest 200 rows (at least 50) that may fail before the run stops.", metavar="P%"),
    ] = f"{defaults.STOP_AT_FAILURES}%"
    stop_at_invalid: Annotated[
        str, Option("Same, for unusable answers, including those that a re-ask fixed.", metavar="P%")
    ] = f"{defaults.STOP_AT_INVALID}%"
    grace: Annotated[
        float | None,
        Option(
            "Seconds that requests in flight may take once the run is stopping.",
            min=0,
            max=bounds.MOST_SECONDS,
            shown_default=f"{_NORMAL.grace:g}",
        ),
    ] = None

    def to_sending(self, money: "MoneyOptions", *, seed: int = 0) -> "Sending":
        """The options in the form that the engine takes; `seed` sets the order of rows that share a request.

        Raises:
            UsageError: one cannot be parsed, or they cannot be combined.
        """
        from datetime import UTC, datetime, timedelta

        from llmbatch.core.errors import UsageError
        from llmbatch.engine.failure_rate_guard import GuardSettings, parse_share
        from llmbatch.engine.sending import Sending
        from llmbatch.provider.limits import RateLimits
        from llmbatch.provider.retry import RetryPolicy
        from llmbatch.runs.options import parse_deadline
        from llmbatch.runs.rates import parse_rate_store

        if self.fault and not self.offline:
            raise UsageError("--fault needs --offline", hint="remove --fault, or add --offline")
        patient = self._patient()
        if patient.retry_wait_min > patient.retry_wait_max:
            raise UsageError(
                f"--retry-wait-min {patient.retry_wait_min:g} is more than --retry-wait-max {patient.retry_wait_max:g}"
            )
        if self.fault:
            from llmbatch.simulate import parse_fault

            for fault in self.fault:
                parse_fault(fault)
        return Sending(
            base_url=self.base_url,
            api_version=self.api_version,
            insecure_http=self.insecure_http,
            offline=self.offline,
            offline_arguments=tuple(part for fault in self.fault or () for part in ("--fault", fault)),
            concurrency=parsed_concurrency(self.concurrency),
            packing=parsed_packing(self.rows_per_request, seed),
            limits=RateLimits(None if self.rpm is None else self.rpm / 60, None if self.tpm is None else self.tpm / 60),
            rate_share=parse_rate_store(self.rate_store),
            timeout_s=self.timeout,
            timeout_factor=patient.timeout_factor,
            policy=RetryPolicy(
                attempts=patient.attempts,
                wait_min_s=patient.retry_wait_min,
                wait_max_s=patient.retry_wait_max,
                max_wait_s=patient.max_wait,
                reasks=patient.reask,
            ),
            guard=GuardSettings(
                parse_share(self.stop_at_failures, "--stop-at-failures"),
                parse_share(self.stop_at_invalid, "--stop-at-invalid"),
            ),
            grace_s=patient.grace,
            deadline=(
                None if self.deadline is None else datetime.now(UTC) + timedelta(seconds=parse_deadline(self.deadline))
            ),
            price=money.to_price(),
            budget=money.to_budget(),
        )

    def to_auto_packing(self, *, seed: int) -> "AutoPacking | None":
        """How comparisons decide about packing; None if the number of rows per request is given.

        Raises:
            UsageError: the allowed loss cannot be parsed.
        """
        from llmbatch.engine.packing.plans import AutoPacking
        from llmbatch.runs.packing_trials import parse_packing_loss

        most_lost = parse_packing_loss(self.max_packing_loss)
        return AutoPacking(most_lost, seed) if self.rows_per_request == defaults.AUTO_PACKING else None

    def _patient(self) -> PatientValues:
        """The effective values of the options that `--patience` sets."""
        values = VALUES[self.patience]
        given = {one.name: getattr(self, one.name, None) for one in fields(values)}
        return replace(values, **{name: value for name, value in given.items() if value is not None})


def parsed_packing(text: str, seed: int) -> "Packing | None":
    """How several rows share a request; None if each is sent alone, or if comparisons decide.

    Raises:
        UsageError: it is not a number, or is out of range.
    """
    from llmbatch.core.errors import UsageError
    from llmbatch.engine.packing.plans import Packing

    if text == defaults.AUTO_PACKING:
        return None
    most = defaults.MOST_ROWS_PER_REQUEST
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not is_number or not 1 <= int(text) <= most:
        raise UsageError(f"--rows-per-request {text[:40]!r} is neither a number from 1 to {most} nor auto")
    return None if int(text) == 1 else Packing(int(text), seed)


def parsed_concurrency(text: str) -> int | None:
    """How many requests may be in flight; None if this is adapted automatically.

    Raises:
        UsageError: it is neither a number nor `auto`.
    """
    from llmbatch.core.errors import UsageError

    if text == defaults.CONCURRENCY:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_MOST_AT_ONCE)):
        raise UsageError(f"--concurrency {text[:40]!r} is neither a number from 1 to {_MOST_AT_ONCE:,} nor auto")
    if not 1 <= int(text) <= _MOST_AT_ONCE:
        raise UsageError(f"--concurrency {text} is neither between 1 and {_MOST_AT_ONCE:,} nor auto")
    return int(text)
