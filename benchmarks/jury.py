"""What votes on doubtful rows are worth, and which way of adding them up is best: `python -m benchmarks.jury`.

Real texts with gold labels; the voters are three classifiers that were trained on the sets' examples (logistic
regression over pieces of words and over words, naive Bayes over words), so that their errors are real, and alike where
a text is hard. `samples` votes are drawn from the first one's probabilities, as `--votes` draws from one model. Rows in
doubt are those of which the first is less than half sure. What each way of adding up is worth shows how well it ranks
right before wrong (AUC; 50% is chance), how many rows pass at the same threshold and how many of these are right, and
how far confidence is off (ECE) after Platt's calibration, fitted on one half of the rows and judged on the other.
Prints a table in Markdown.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from llmbatch.analysis.reliability import reliability
from llmbatch.core.ledger_line import Vote
from llmbatch.task.calibration import log_odds
from llmbatch.task.fields import Label
from llmbatch.task.label_space import LabelSpace, plain_space
from llmbatch.task.voting import verdict

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DOUBT, VOTES = 0.5, 3
Found = tuple[str, float]
"""A label and its confidence."""


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """A set of texts with gold labels, and examples to train voters on."""

    name: str
    examples: Sequence[tuple[str, str]]
    documents: Sequence[tuple[str, str]]


def main() -> None:
    """Measure and print."""
    print("| set | votes of | rows in doubt | first right | added up by | verdict right | AUC | pass | right | ECE |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    random = np.random.default_rng(0)
    for labelled in sets():
        chances, labels = probabilities(labelled)
        doubtful = [int(row) for row in np.flatnonzero(chances[0].max(axis=1) < DOUBT)]
        gold = [labelled.documents[row][1] for row in doubtful]
        drawn = [chances[0]] + [one_drawn(chances[0], random) for _ in range(VOTES - 1)]
        space = plain_space([Label(name=label) for label in labels])
        for voters, of_voters in (("three models", chances), ("one model", drawn)):
            ballots = [[_said(one[row], chances, voters, row, labels) for one in of_voters] for row in doubtful]
            first = np.mean([ballot[0].category == label for ballot, label in zip(ballots, gold, strict=True)])
            for name, add_up in WAYS.items():
                found = [add_up(space, ballot) for ballot in ballots]
                figures = judged(found, gold)
                print(f"| {labelled.name} | {voters} | {len(gold):,} | {first:.1%} | {name} | {' | '.join(figures)} |")


def _said(one: Any, chances: Sequence[Any], voters: str, row: int, labels: Sequence[str]) -> Vote:
    place = int(np.argmax(one))
    sure = float(chances[0][row][place]) if voters == "one model" else float(one[place])
    return Vote("m", "p", labels[place], round(min(sure, 0.99), 2))


def sets() -> Iterator[LabelledTexts]:
    """The sets; of AG News, which has no examples, the first 300 rows are examples."""
    with (DATA / "ag_news/test.csv").open(newline="") as rows, (DATA / "ag_news/gold.csv").open(newline="") as gold:
        texts = [f"{row['title']} {row['description']}" for row in csv.DictReader(rows)]
        pairs = list(zip(texts, (row["category"] for row in csv.DictReader(gold)), strict=True))
    yield LabelledTexts("AG News", pairs[:300], pairs[300:])
    for name, folder, field in (("BANKING77", "banking77", "category"), ("CLINC150", "clinc150", "label")):
        labels = {row["id"]: row[field] for row in _rows(f"{folder}/gold.jsonl")}
        documents = [(row["text"], labels[row["id"]]) for row in _rows(f"{folder}/test.jsonl")]
        examples = [(row["text"], row[field]) for row in _rows(f"{folder}/examples.jsonl")]
        yield LabelledTexts(name, examples, documents)


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def probabilities(labelled: LabelledTexts) -> tuple[list[Any], list[str]]:
    """What each voter gives each document's labels, and the labels in that order."""
    texts, labels = zip(*labelled.examples, strict=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    voters = [
        make_pipeline(pieces, LogisticRegression(C=10, max_iter=300)),
        make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(C=20, max_iter=300)),
        make_pipeline(TfidfVectorizer(sublinear_tf=True), MultinomialNB(alpha=0.05)),
    ]
    documents = [text for text, _ in labelled.documents]
    return [voter.fit(texts, labels).predict_proba(documents) for voter in voters], list(voters[0].classes_)


def one_drawn(chances: Any, random: np.random.Generator) -> Any:
    """An answer for each row, drawn by its labels' probabilities."""
    drawn = np.zeros_like(chances)
    for row, shares in enumerate(chances):
        drawn[row, random.choice(len(shares), p=shares / shares.sum())] = 1
    return drawn


def counted(_: LabelSpace, votes: Sequence[Vote]) -> Found:
    """The label with the most votes, and their share."""
    counts = defaultdict[str, int](int)
    for vote in votes:
        counts[vote.category] += 1
    label = max(counts, key=counts.__getitem__)
    return label, counts[label] / len(votes)


def independent(space: LabelSpace, votes: Sequence[Vote]) -> Found:
    """Bayes' rule, as if voters erred independently: what each is not sure of is shared by all other labels."""
    others = len(space.labels) - 1
    logs = {
        label: sum(
            np.log(max(vote.confidence, 0.01) if vote.category == label else (1 - vote.confidence) / others)
            for vote in votes
        )
        for label in (one.name for one in space.labels)
    }
    label = max(logs, key=logs.__getitem__)
    return label, float(1 / sum(np.exp(one - logs[label]) for one in logs.values()))


def weighted(space: LabelSpace, votes: Sequence[Vote]) -> Found:
    """As llmbatch does."""
    found = verdict(space, votes)
    return found.category, found.confidence


WAYS: Mapping[str, Callable[[LabelSpace, Sequence[Vote]], Found]] = {
    "count": counted,
    "Bayes, independent": independent,
    "as here": weighted,
}


def judged(found: Sequence[Found], gold: Sequence[str]) -> Iterator[str]:
    """Share that is right, AUC, how many pass and are right, and ECE after calibration on the other half."""
    said = np.array([confidence for _, confidence in found])
    right = np.array([label == wanted for (label, _), wanted in zip(found, gold, strict=True)])
    odds = np.array([[log_odds(one)] for one in said])
    fitted = LogisticRegression().fit(odds[::2], right[::2]).predict_proba(odds[1::2])[:, 1]
    yield f"{right.mean():.1%}"
    yield f"{roc_auc_score(right, said):.1%}"
    passing = said >= DOUBT
    yield f"{passing.mean():.1%}"
    yield f"{right[passing].mean():.1%}"
    held_out = reliability(list(map(float, fitted)), list(map(bool, right[1::2])))
    yield "" if held_out is None else f"{held_out.ece:.3f}"


if __name__ == "__main__":
    main()
