"""Labels ranked by embeddings: which texts are embedded, and how they are ranked."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.task.embedded_candidates import LONGEST_TEXT, MOST_EXAMPLES, EmbeddedCandidates, embedded
from llmbatch.task.fields import Label
from llmbatch.task.load import LoadedTask, load_task
from llmbatch.task.model import Example, Task

BANKING = load_task("banking77").task


def test_a_label_is_the_mean_of_its_description_and_its_examples() -> None:
    labels = tuple(Label(name=f"label_{n}", description=f"about {n}", aliases=(f"a{n}",)) for n in range(5))
    examples = tuple(Example(text=f"example {n}", label="label_1") for n in range(MOST_EXAMPLES + 3))
    candidates = EmbeddedCandidates(Task(name="t", labels=labels, examples=examples), 2, "m")
    texts = candidates.texts()
    assert texts[:3] == ["label 0 a0 about 0", "label 1 a1 about 1", "example 0"]
    assert len(texts) == 5 + MOST_EXAMPLES
    vectors = [np.array(draw) for draw in np.random.default_rng(1).normal(size=(len(texts), 8))]
    document = np.random.default_rng(2).normal(size=8)
    unit = [vector / np.linalg.norm(vector) for vector in vectors]
    means = [unit[0], np.mean(unit[1 : 2 + MOST_EXAMPLES], axis=0), *unit[2 + MOST_EXAMPLES :]]
    order = np.argsort(-cosine_similarity([document], means)[0], kind="stable")
    ranking = candidates.label_vectors(vectors).ranking(document)
    assert ranking["category"] == order[:4].tolist()
    shortlist = candidates.listed(ranking)
    assert shortlist.names["category"] == tuple(labels[place].name for place in order[:2])
    assert candidates.ranks(ranking, {"category": labels[order[2]].name}) == (2,)
    assert candidates.ranks(ranking, {"category": labels[order[4]].name}) == (5,), "beyond the ranking"
    unknown = candidates.whole_ranking("label 0")
    assert candidates.ranks(unknown, {"category": labels[0].name}) == (), "without a ranking there is no rank"


@given(st.text(max_size=5_000))
def test_a_text_is_embedded_as_one_line_of_limited_length(text: str) -> None:
    line = embedded(text)
    assert len(line) <= LONGEST_TEXT
    assert line.splitlines() in ([line], [])
    assert bool(line) == bool(text.strip())


def test_the_embedding_model_is_in_the_key() -> None:
    def fingerprint(model: str | None) -> str:
        choice = ModelChoice(candidates=10, embedding_model=model)
        return make_plan(LoadedTask(BANKING, "t", "1"), choice, offline=True).fingerprint

    assert len({fingerprint(model) for model in (None, "one", "other")}) == 3


def test_a_zero_vector_ranks_labels_in_task_order() -> None:
    candidates = EmbeddedCandidates(BANKING, 10, "m")
    zeros = [np.zeros(4) for _ in candidates.texts()]
    assert candidates.label_vectors(zeros).ranking(np.zeros(4))["category"] == list(range(20))
