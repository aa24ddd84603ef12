"""The cost of embeddings, if they retrieve a run's labels: each document's once, and the labels' own."""

from collections.abc import Callable
from dataclasses import replace

from llmbatch.core.prices import PriceBook
from llmbatch.engine.embedding import embedding_plan
from llmbatch.engine.plan import Plan
from llmbatch.estimate.arms import ArmJob
from llmbatch.estimate.cost import FRAME_TOKENS, Job, Known, Range
from llmbatch.estimate.input_scan import Survey
from llmbatch.task.embedded_candidates import LONGEST_TEXT, EmbeddedCandidates

EMBEDDING = "embedding"
"""The name of their part of the cost, in addition to the arms."""
_NOTHING = Range(0.0, 0.0, 0.0)


class EmbeddingLook:
    """Counts the texts that are embedded."""

    def __init__(self, candidates: EmbeddedCandidates, survey: Survey, count: Callable[[str], int]) -> None:
        """`survey`: of the documents, by the plan of the requests for vectors; `count`: counts a text's tokens."""
        self._candidates = candidates
        self._count = count
        self.survey = survey

    def job(self, prices: PriceBook, *, with_labels: bool) -> ArmJob:
        """The embedded texts of the rows seen, and their cost; also those of the labels, which are embedded once."""
        documents, model = self.survey.documents, self.survey.asked.question.model
        labels = sum(map(self._count, self._candidates.texts())) if documents.rows and with_labels else 0
        job = Job(
            requests=documents.rows,
            prefix_tokens=-FRAME_TOKENS,  # there are no messages, so no tokens frame them
            documents=replace(documents, tokens=documents.tokens + labels),
            cached_tokens=0,
            written_tokens=0,
            output_tokens=_NOTHING,
        )
        rows = Range(documents.rows, documents.rows, documents.rows)
        return ArmJob(EMBEDDING, model, job, rows, prices.of_embeddings.price(model), Known(misses=_NOTHING))


def embedding_look(
    asked: Plan, count: Callable[[str], int], surveyed: Callable[[Plan, Callable[[str], int]], Survey]
) -> EmbeddingLook | None:
    """Counts what a plan embeds; None if it embeds nothing.

    Args:
        asked: the plan by which rows would be sent.
        count: counts a text's tokens.
        surveyed: makes a survey of the same rows by another plan, with another way to count.
    """
    candidates = asked.candidates
    if not isinstance(candidates, EmbeddedCandidates):
        return None
    survey = surveyed(embedding_plan(asked, candidates), lambda text: count(text[:LONGEST_TEXT]))
    return EmbeddingLook(candidates, survey, count)
