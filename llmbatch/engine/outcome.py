"""Turns a response into a row's outcome: pure functions of the plan, the row and the response.

The same response always gives the same ledger line, however and whenever it was received.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from llmbatch.core.ledger_line import FAILED, NONE_FITS, OK, LedgerLine, RowError, Status
from llmbatch.core.money import to_usd
from llmbatch.core.redact import Redactor
from llmbatch.core.rows import Row
from llmbatch.engine.plan import Plan
from llmbatch.engine.row_state import RowState
from llmbatch.engine.scoring import Score, Scorer
from llmbatch.provider.completion import Completion
from llmbatch.provider.dialect import CHAT_COMPLETIONS, Dialect
from llmbatch.provider.failures import Billed, Failure, RequestFailedError
from llmbatch.provider.finish import flags_of, judge_invalid
from llmbatch.task.answer import Answer, AnswerParser
from llmbatch.task.calibration import Calibration
from llmbatch.task.candidates import Candidates, Shortlist
from llmbatch.task.kind import InvalidAnswerError

if TYPE_CHECKING:
    from llmbatch.cache import CachedAnswer

_LONGEST_KEPT_ANSWER = 2_000


class OutcomeReader:
    """Reads answers under one plan, and turns answers and failures into ledger lines."""

    def __init__(
        self,
        plan: Plan,
        calibrations: Iterable[Calibration],
        *,
        redact: Redactor,
        dialect: Dialect = CHAT_COMPLETIONS,
    ) -> None:
        """`calibrations`: calibrations of confidence, by prompt and model."""
        self._plan = plan
        self._dialect = dialect
        self._redact = redact
        self._parser = AnswerParser(plan.space)
        self._scorer = Scorer(plan, calibrations)

    def answer(self, completion: Completion, shortlist: Shortlist) -> Answer:
        """Parse a completion; labels on a list are given as their numbers.

        Raises:
            RequestFailedError: it cannot be used; the failure is classified.
        """
        if (unusable := self._dialect.judge_answer(completion)) is not None:
            raise RequestFailedError(unusable)
        try:
            answer = self._parser.parse(completion.content or "")
            if self._plan.candidates is not None:
                self._plan.candidates.named(answer.category, shortlist)
        except InvalidAnswerError as error:
            raise RequestFailedError(judge_invalid(str(error), completion)) from None
        return answer

    def labelled(self, state: RowState, answer: Answer) -> LedgerLine:
        """The line of a row that has a label."""
        score, category = self._scorer.score(answer, state.completion), answer.category
        if self._plan.candidates is not None:
            score, category = _named(score, category, self._plan.candidates, state.shortlist)
        line = _line(state, self._plan, OK)
        labelled = replace(
            line,
            category=category,
            ranking=_ranking(self._plan, state.shortlist),
            confidence=score.confidence,
            confidence_raw=None if score.raw == score.confidence else score.raw,
            confidences=None if score.confidences is None else dict(score.confidences),
            confidence_from=score.kind.value,
            runner_up=score.runner_up,
            reasoning=answer.reasoning,
            parse="repaired" if answer.repaired else "clean",
            answer=_kept(state.completion, self._redact) if answer.repaired else None,
            flags=(*line.flags, *(flags_of(state.completion) if state.completion else ()), *score.flags),
        )
        return _without_secrets(labelled, self._redact)

    def failed(self, state: RowState, failure: Failure) -> LedgerLine:
        """The line of a row without a label. A paid answer is stored, so that it can be parsed again."""
        line, redact = _line(state, self._plan, FAILED), self._redact
        was_answered = failure.billed is Billed.YES
        code = None if failure.code is None else redact.hide(failure.code)
        failed = replace(
            line,
            error=RowError(failure.kind, code, redact(failure.message)),
            request_id=failure.request_id or line.request_id,
            parse=failure.kind if was_answered else None,
            answer=_kept(state.completion, redact) if was_answered else None,
        )
        return _without_secrets(failed, redact)


def _ranking(plan: Plan, shortlist: Shortlist) -> dict[str, tuple[int, ...]] | None:
    """How embeddings ranked the labels: unlike other rankings, it cannot be made again from the text alone."""
    if plan.embedding_model is None:
        return None
    return {name: tuple(places) for name, places in shortlist.ranking.items()}


def _named(score: Score, text: str, candidates: Candidates, shortlist: Shortlist) -> tuple[Score, str]:
    """Replace the list numbers in a score and a value by the labels themselves."""
    named, sure = candidates.named(text, shortlist), shortlist.sureness
    if sure < 1:
        score = replace(score, confidence=round(score.confidence * sure, 6), raw=round(score.raw * sure, 6))
    if score.confidences is not None:
        score = replace(
            score, confidences={candidates.named_part(p, shortlist) or p: odds for p, odds in score.confidences.items()}
        )
    if score.runner_up is not None:
        score = replace(score, runner_up=candidates.named_part(score.runner_up, shortlist))
    if candidates.none_of(text):
        score = replace(score, confidence=0.0, raw=0.0, flags=(*score.flags, NONE_FITS))
    return score, named


def unsent_line(row: Row, key: str, plan: Plan, kind: str, message: str) -> LedgerLine:
    """The line of a row that failed before anything was sent: it cost nothing."""
    return replace(_line(RowState(row, key), plan, FAILED), error=RowError(kind, None, message))


def earlier_line(row: Row, key: str, plan: Plan, answer: "CachedAnswer") -> LedgerLine:
    """The line of a row answered in an earlier run: it costs nothing now. Its confidence is raw."""
    return replace(
        _line(RowState(row, key), plan, OK),
        category=answer.category,
        confidence=answer.confidence,
        confidence_from=answer.confidence_from,
        runner_up=answer.runner_up,
        confidences=None if answer.confidences is None else dict(answer.confidences),
        reasoning=answer.reasoning,
        response_model=answer.response_model,
        request_id=answer.request_id,
        parse=answer.parse,
        source="reused",
        reused_from=answer.run_id,
        saved_usd=to_usd(answer.cost_nanousd or 0),
    )


def _line(state: RowState, plan: Plan, status: Status) -> LedgerLine:
    completion, usage = state.completion, state.bill.usage
    return LedgerLine(
        row=state.row.index,
        id=state.row.id,
        key=state.key,
        status=status,
        prompt=plan.prompt,
        model=plan.question.model,
        started_at=f"{state.started_at.isoformat(timespec='microseconds').removesuffix('+00:00')}Z",
        arm=plan.arm,
        response_model=completion.model if completion else None,
        system_fingerprint=completion.system_fingerprint if completion else None,
        service_tier=completion.service_tier if completion else None,
        request_id=completion.request_id if completion else None,
        finish_reason=completion.finish_reason if completion else None,
        attempts=state.attempts.sends,
        shared_attempts=state.shared_sends,
        rows_in_request=state.rows_in_request,
        retries=tuple(state.retries),
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cache_unreported_tokens=usage.cache_unreported_tokens,
        cost_usd=None if usage.cost_nanousd is None else to_usd(usage.cost_nanousd),
        possibly_billed_usd=to_usd(usage.possibly_billed_nanousd),
        possibly_billed_attempts=usage.possibly_billed_requests,
        latency_s=round(state.latency_s, 6),
        flags=(*state.row.flags, *state.bill.flags),
    )


_TEXTS_OF_THE_SERVER = (
    "reasoning",
    "response_model",
    "system_fingerprint",
    "service_tier",
    "request_id",
    "finish_reason",
)


def _without_secrets(line: LedgerLine, redact: Redactor) -> LedgerLine:
    """The line with secrets redacted; the answer has been parsed by now, and a label is one of the task's."""
    texts = {name: text for name in _TEXTS_OF_THE_SERVER if (text := getattr(line, name)) is not None}
    changes: dict[str, Any] = {name: hidden for name, text in texts.items() if (hidden := redact.hide(text)) != text}
    if line.retries:
        changes["retries"] = tuple(
            retry if retry.code is None else replace(retry, code=redact.hide(retry.code)) for retry in line.retries
        )
    return replace(line, **changes) if changes else line


def _kept(completion: Completion | None, redact: Redactor) -> str | None:
    if completion is None or completion.content is None:
        return None
    return redact(completion.content, longest=_LONGEST_KEPT_ANSWER)
