"""Splits a completion about several rows into the answers for each."""

from dataclasses import dataclass

from msgspec.structs import replace

from llmbatch.engine.plan import Plan
from llmbatch.provider.completion import Completion
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.failures import Failure, RequestFailedError
from llmbatch.provider.finish import judge_invalid
from llmbatch.task.answer import Answer, AnswerParser
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.packed_answer import AnswerPart, PackedAnswerParser, tokens_of_part


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """The part of a pack's answer about one row."""

    completion: Completion
    """In the form of an answer about the row alone."""
    answer: Answer | None
    failure: Failure | None
    """Why there is no answer."""


class PackReader:
    """Reads answers about packs of one plan's rows."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        self._dialect = dialect
        self._parser = PackedAnswerParser(AnswerParser(plan.space))

    def answers(self, completion: Completion, rows: int) -> list[RowAnswer]:
        """A completion's answer for each row, in the pack's order. Of a truncated answer, the complete part counts.

        Raises:
            RequestFailedError: none of it can be used; the failure is classified.
        """
        unusable = self._dialect.judge_answer(completion)
        if unusable is not None and (unusable.kind != "truncated" or not completion.content):
            raise RequestFailedError(unusable)
        content = completion.content or ""
        try:
            packed = self._parser.parse(content, rows)
        except InvalidAnswerError as error:
            raise RequestFailedError(unusable or judge_invalid(str(error), completion)) from None
        if unusable is not None and not any(part.answer for part in packed.parts):
            raise RequestFailedError(unusable)
        return [self._of_row(completion, content, part, unusable) for part in packed.parts]

    def _of_row(self, completion: Completion, content: str, part: AnswerPart, cut: Failure | None) -> RowAnswer:
        tokens = completion.logprobs
        own = replace(
            completion,
            content=content[part.start : part.end] or None,
            usage=None,
            logprobs=None if tokens is None else tokens_of_part(tokens, content, part),
        )
        if part.answer is not None:
            return RowAnswer(own, part.answer, None)
        return RowAnswer(own, None, cut or judge_invalid(part.why, completion))
