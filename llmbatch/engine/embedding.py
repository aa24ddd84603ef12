"""Retrieves labels by embeddings: a row's first request asks for its document's vector, and is charged to the row.

The labels' own vectors are requested once per session, by the first row that needs them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from llmbatch.engine.attempt import AttemptSender
from llmbatch.engine.failure_policy import FailurePolicy
from llmbatch.engine.plan import Plan
from llmbatch.engine.request_loop import RequestLoop
from llmbatch.engine.row_state import RowState
from llmbatch.provider.body import LARGEST_ANSWER
from llmbatch.provider.embeddings import vectors_in
from llmbatch.provider.failures import RequestFailedError
from llmbatch.provider.judge import judge_not_a_completion
from llmbatch.provider.request import Question
from llmbatch.provider.retry import Attempts
from llmbatch.provider.shape import RequestShape
from llmbatch.task.candidates import Shortlist
from llmbatch.task.document_limit import DocumentLimit
from llmbatch.task.embedded_candidates import EmbeddedCandidates, LabelVectors, embedded
from llmbatch.task.prefix_plan import PrefixPlan

_MOST_TEXTS = 32
"""Texts in a request for labels: the limit of text-embeddings-inference ("max-client-batch-size"). Others accept fewer,
and say so in many ways (DashScope 10, with a plain 400): after a refusal, half as many are sent."""
_BYTES_A_NUMBER = 24
"""Maximum bytes of a number in JSON with its comma."""
_SHORTEST_TEXT = 250
"""Characters below which a text is not shortened further for a model with a small window."""


def embedding_plan(plan: Plan, candidates: EmbeddedCandidates) -> Plan:
    """The plan of the requests for vectors, which have neither prefix nor output."""
    return replace(
        plan,
        question=Question(candidates.embedding_model or "", "", {}),
        shape=RequestShape(max_output_tokens=0),
        answer_tokens=0,
        prefix=PrefixPlan(0, 0, 0, "no prefix"),
        choice=replace(plan.choice, token_ratio=1.0, window=None, service_tier=None),
        limit=DocumentLimit(),
        candidates=None,
        similar=None,
    )


class Embedder:
    """Lists the labels that are nearest to a row's document."""

    def __init__(
        self,
        candidates: EmbeddedCandidates,
        *,
        sender: AttemptSender,
        loop: RequestLoop,
        failure_policy: FailurePolicy,
    ) -> None:
        """Set the parts that request vectors."""
        self.loop = loop
        self._candidates = candidates
        self._sender = sender
        self._failure_policy = failure_policy
        self._most_texts = _MOST_TEXTS
        self._longest: int | None = None
        """Characters of a text that the model accepts, if an error has shown that it does not accept all."""
        self._of_labels: list[Any] = []
        """The vectors of the labels' texts so far: if the row that asks for them fails, the next one continues."""
        self._labels: LabelVectors | None = None
        self._asking_for_labels = asyncio.Lock()

    async def shortlist(self, row: RowState) -> Shortlist:
        """The labels to list before a row's document.

        Raises:
            RequestFailedError: the request for a vector failed; the failure is classified.
            RunCancelledError: the run stopped first.
            LLMBatchError: all requests would fail the same way.
        """
        (vector,) = await self._vectors(row, [embedded(row.row.text)])
        labels = self._labels or await self._label_vectors(row, len(vector))
        ranking = await asyncio.to_thread(labels.ranking, vector)
        return self._candidates.listed(ranking)

    async def _label_vectors(self, row: RowState, dimensions: int) -> LabelVectors:
        async with self._asking_for_labels:
            if self._labels is None:
                texts, vectors = self._candidates.texts(), self._of_labels
                most = max(LARGEST_ANSWER // (dimensions * _BYTES_A_NUMBER), 1)
                while len(vectors) < len(texts):
                    end = len(vectors) + min(most, self._most_texts)
                    vectors += await self._vectors(row, texts[len(vectors) : end])
                self._labels = await asyncio.to_thread(self._candidates.label_vectors, vectors)
                vectors.clear()
        return self._labels

    async def _vectors(self, row: RowState, texts: Sequence[str]) -> list[Any]:
        """The vectors of some texts, charged to the row; texts are shortened or split up if the model requires it."""
        length = self._longest
        try:
            return await self._asked(row, [text[:length] for text in texts])
        except RequestFailedError as error:
            kind, half = error.failure.kind, len(texts) // 2
            if kind == "too_long" and self._shorten(texts, length):
                return await self._vectors(row, texts)
            if kind not in ("too_long", "bad_request") or not half:
                raise
        self._most_texts = half
        return [*await self._vectors(row, texts[:half]), *await self._vectors(row, texts[half:])]

    def _shorten(self, texts: Sequence[str], length: int | None) -> bool:
        """Send only half as much of each text from now on; False if these are short already."""
        longest = max(len(text[:length]) for text in texts)
        if length == self._longest and longest > _SHORTEST_TEXT:
            self._longest = max(longest // 2, _SHORTEST_TEXT)
        return self._longest != length

    async def _asked(self, row: RowState, texts: Sequence[str]) -> list[Any]:
        asked = RowState(
            structs.replace(row.row, text="\n".join(texts)),
            row.key,
            attempts=Attempts(sends=row.attempts.sends),
            retries=row.retries,
            bill=row.bill,
            failed_before=row.failed_before,
        )
        if len(texts) == 1:  # several texts are retried in parts, so their failures say nothing about rows
            self._failure_policy.row_began(asked)
        try:
            vectors = await self.loop.until_answered(asked, self._answer)
        finally:
            if not row.attempts.sends:
                row.started_at, row.started = asked.started_at, asked.started
            row.attempts.sends = asked.attempts.sends
        self._failure_policy.row_labelled(asked)
        self.loop.write_down_end(asked)
        return vectors

    async def _answer(self, asked: RowState, paid: float) -> list[Any]:
        completion = await self._sender.send(asked, paid=paid)
        self._failure_policy.answered(asked)
        vectors, texts = vectors_in(completion.content or ""), asked.row.text.count("\n") + 1
        if len(vectors) != texts:
            raise RequestFailedError(judge_not_a_completion(f"{len(vectors)} embeddings of {texts} texts"))
        return vectors
