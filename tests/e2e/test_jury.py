"""Doubtful rows that a jury votes on before review."""

from collections import Counter
from typing import Any

import pytest

from llmbatch.core.ledger_line import JURY, VOTES
from tests.analysis.test_fields import TASK
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import SAMPLE, Done, Program, accounted, documents, read_rows, views, write_rows
from tests.ledgers import lines_of

JURORS = ("--jury", "gpt-5.4,gpt-5.4-mini")
BELOW = ("--review-below", "0.85")


def voted(llmbatch: Program, url: str, *options: str, rows: int = 20, below: str = "0.85") -> Done:
    if not (llmbatch.folder / "docs.jsonl").exists():
        write_rows(llmbatch.folder / "docs.jsonl", documents(rows))
    return llmbatch("classify", "docs.jsonl", "--base-url", url, "--review-below", below, "--json", *options)


def test_doubtful_rows_are_voted_on_once_and_the_cost_is_shown(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    doubtful = voted(llmbatch, server.url).json["rows"]["review"]
    assert 0 < doubtful < 20
    estimate = llmbatch("estimate", "docs.jsonl", "--base-url", server.url, *BELOW, *JURORS, "--json")
    arms = [arm for arm in estimate.json["models"][0]["arms"] if arm["arm"] == "jury"]
    assert {arm["model"]: arm["rows"]["expected"] for arm in arms} == {"gpt-5.4": doubtful, "gpt-5.4-mini": doubtful}
    done = voted(llmbatch, server.url, *JURORS)
    jury, lines = done.json["jury"], lines_of(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    assert (jury["models"], jury["rows"]) == (["gpt-5.4", "gpt-5.4-mini"], doubtful)
    assert (server.requests, done.json["session"]["requests"]) == (20 + 2 * doubtful, 2 * doubtful)
    of_jury = [line for line in lines if line.arm == JURY]
    assert Counter(line.model for line in of_jury) == {"gpt-5.4": doubtful, "gpt-5.4-mini": doubtful}
    assert all(line.attempts == 1 and line.output_tokens and line.cost_usd for line in of_jury), "each has its own cost"
    assert jury["cost_usd"] == pytest.approx(sum(line.cost_usd or 0 for line in of_jury))
    assert done.json["usage"]["cost_usd"] == pytest.approx(sum(line.cost_usd or 0 for line in lines))
    low, high = (sum(arm["cost_usd"][end] for arm in arms) for end in ("low", "high"))
    assert low <= jury["cost_usd"] <= high
    verdicts = [line for line in of_jury if line.confidence_from == VOTES]
    assert len(verdicts) == doubtful
    for line in verdicts:
        assert [vote.model for vote in line.votes][1:] == ["gpt-5.4", "gpt-5.4-mini"]
        assert line.confidence > line.votes[0].confidence, "all three agree"  # type: ignore[operator]
    again = voted(llmbatch, server.url, *JURORS)
    assert (again.json["session"]["requests"], again.json["jury"]) == (0, jury)
    assert llmbatch("show", "docs.llmbatch", "--json").json["jury"] == jury
    assert "jury  gpt-5.4, gpt-5.4-mini: " in llmbatch("show", "docs.llmbatch").out


def test_the_run_s_own_model_votes_with_answers_that_vary(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = voted(llmbatch, endpoint().url, "--votes", "3", "--model", "gpt-4.1-mini", rows=30, below="1")
    assert (done.json["jury"]["models"], done.json["jury"]["rows"]) == (["gpt-4.1-mini"] * 2, 30)
    verdicts = [
        line for line in lines_of(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl") if line.confidence_from == VOTES
    ]
    assert {len(line.votes) for line in verdicts} == {3}
    assert any(len({vote.category for vote in line.votes}) > 1 for line in verdicts)
    found = views(llmbatch.folder / "docs.llmbatch")
    assert accounted(llmbatch.folder / "docs.llmbatch") == list(range(30))
    assert {row["category"] for row in found["results"] + found["review"]} <= {
        "technical", "business", "legal", "marketing", "other",
    }  # fmt: skip


def test_votes_cast_before_a_kill_are_not_paid_again(llmbatch: Program, endpoint: StartEndpoint) -> None:
    """The ledger is truncated as after a kill: before a vote, between two, and after them."""
    server = endpoint()
    whole = voted(llmbatch, server.url, *JURORS, rows=2, below="1").json
    ledger = llmbatch.folder / "docs.llmbatch" / "ledger.jsonl"
    raw = ledger.read_bytes().splitlines(keepends=True)
    assert len(raw) == 6
    for kept in (1, 3, 4, 5):
        ledger.write_bytes(b"".join(raw[:kept]))
        done = voted(llmbatch, server.url, *JURORS, below="1").json
        assert (done["session"]["requests"], done["jury"]["rows"]) == (6 - kept, 2)
        assert done["rows"] == whole["rows"]
        assert accounted(ledger.parent) == [0, 1]


def test_a_row_with_missing_votes_is_in_review_with_its_first_answer(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    voted(llmbatch, server.url, *JURORS, rows=1, below="1")
    ledger = llmbatch.folder / "docs.llmbatch" / "ledger.jsonl"
    first, vote, _ = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(first + vote)
    assert llmbatch("export", "docs.llmbatch").code == 0
    (row,) = read_rows(ledger.parent / "review.jsonl")
    line = lines_of(ledger)[0]
    assert (row["category"], row["confidence"]) == (line.category, line.confidence)
    more = voted(llmbatch, server.url, "--jury", "gpt-5.4,gpt-6-sol", below="1")
    assert more.json["session"]["requests"] == 1, "another jury reuses the existing votes"


def test_a_vote_that_fails_leaves_the_others_to_decide(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "refusal=100%", "--faulty-model", "gpt-5.4-mini")
    done = voted(llmbatch, server.url, *JURORS, rows=4, below="1")
    assert (done.code, done.json["failures"], done.json["jury"]["rows"]) == (0, {}, 4)
    latest = {line.row: line for line in lines_of(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")}
    assert [[vote.model for vote in line.votes][1:] for line in latest.values()] == [["gpt-5.4"]] * 4
    assert {line.confidence_from for line in latest.values()} == {VOTES}


def test_if_every_vote_fails_the_first_answer_is_kept_for_review(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "refusal=100%", "--faulty-model", "gpt-5.4-mini")
    done = voted(llmbatch, server.url, "--jury", "gpt-5.4-mini", rows=2, below="1")
    assert (done.code, done.json["rows"]["review"], done.json["jury"]["settled"]) == (0, 2, 0)
    assert done.json["jury"]["rows"] == 2
    offline = ("classify", "docs.jsonl", "--offline", "--review-below", "1", "--jury", "mine", "--json")
    unpriced = llmbatch(*offline).json
    assert unpriced["jury"]["cost_usd"] is None
    assert any("The price of one of gpt-6-luna, mine is unknown" in note for note in unpriced["notes"])


def test_no_vote_exceeds_a_hard_budget(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    control = voted(llmbatch, server.url, below="1").json["usage"]["cost_usd"]
    done = voted(llmbatch, server.url, *JURORS, "--max-cost", str(control + 0.02), below="1")
    assert done.code == 5
    assert control < done.json["usage"]["cost_usd"] <= control + 0.02
    on = voted(llmbatch, server.url, *JURORS, below="1").json
    assert (on["jury"]["rows"], server.requests) == (20, 60)


def test_several_fields_are_voted_on_one_by_one(llmbatch: Program, endpoint: StartEndpoint) -> None:
    (llmbatch.folder / "news.toml").write_text(TASK)
    options = ("--task", "news.toml", "--base-url", endpoint().url, "--out", "run", "--review-below", "1")
    done = llmbatch("classify", SAMPLE, *options, "--votes", "2", "--json")
    assert (done.code, done.json["jury"]["rows"]) == (0, 60)
    for line in lines_of(llmbatch.folder / "run" / "ledger.jsonl"):
        if line.confidence_from == VOTES:
            assert line.confidences is not None
            assert line.confidence == min(line.confidences[name] for name in ("topic", "names", "length", "good"))
    assert accounted(llmbatch.folder / "run") == list(range(60))


@pytest.mark.parametrize(("task", "candidates"), [("banking77", "10"), ("clinc150", "levels")])
def test_labels_listed_by_number_are_voted_on_by_name(
    llmbatch: Program, endpoint: StartEndpoint, task: str, candidates: str
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [{"id": n, "text": f"My card {n} has not arrived"} for n in range(3)])
    done = voted(llmbatch, endpoint().url, "--task", task, "--candidates", candidates, "--votes", "2", below="1")
    assert (done.code, done.json["jury"]["rows"]) == (0, 3)
    lines = lines_of(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    names = {vote.category for line in lines for vote in line.votes}
    assert names
    assert all(not name.isdecimal() for name in names)
    assert max(line.attempts for line in lines) == (1 if candidates == "10" else 2), "one request per level"


def test_doubtful_rows_of_a_canary_are_voted_on(llmbatch: Program, endpoint: StartEndpoint) -> None:
    canary = ("--canary-model", "gpt-4.1-mini", "--canary-share", "50%")
    done = voted(llmbatch, endpoint().url, *canary, *JURORS, below="1")
    assert (done.code, done.json["jury"]["rows"]) == (0, 20)
    first = Counter(
        line.votes[0].model for line in lines_of(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl") if line.votes
    )
    assert len(first) == 2
    assert voted(llmbatch, endpoint().url, *canary, *JURORS, below="1").json["session"]["requests"] == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--jury", "gpt-5.4", "--votes", "3"), "--jury and --votes cannot be combined"),
        (("--votes", "3", "--escalate-to", "gpt-5.4"), "--votes and --escalate-to cannot be combined"),
        (("--jury", "gpt-6-luna"), "is the run's own model"),
        (("--jury", "gpt-5.4,,gpt-6-sol"), "does not name distinct models"),
        (("--jury", "gpt-5.4,gpt-5.4"), "does not name distinct models"),
        (("--votes", "1"), "--votes"),
        (("--jury", "mine", "--max-cost", "1"), "mine"),
    ],
)
def test_an_invalid_jury_is_refused_before_anything_is_sent(
    llmbatch: Program, endpoint: StartEndpoint, options: tuple[Any, ...], says: str
) -> None:
    server = endpoint()
    done = voted(llmbatch, server.url, *options, rows=1)
    assert (done.code, server.requests) == (2, 0)
    assert says in done.err
