"""`llmbatch evaluate`: applying the threshold, and reporting in a CI job."""

import json
from pathlib import Path

import pytest

from tests.e2e.program import Program, documents, read_rows, write_rows

SUBJECTS = ("technical", "business", "legal")


@pytest.fixture
def run(llmbatch: Program) -> Path:
    write_rows(llmbatch.folder / "docs.jsonl", documents(60))
    tasks = Path(__file__).parents[2] / "prompts"
    (llmbatch.folder / "papers.toml").write_bytes((tasks / "default.toml").read_bytes())
    assert llmbatch("classify", "docs.jsonl", "--task", "papers.toml", "--offline", "--out", "run").code == 0
    write_rows(llmbatch.folder / "gold.jsonl", [{"id": f"d-{n}", "label": SUBJECTS[n % 3]} for n in range(60)])
    return llmbatch.folder / "run"


def decide(llmbatch: Program) -> None:
    llmbatch("review", "export", "run", "--all", "--format", "jsonl", "--out", "todo.jsonl")
    rows = read_rows(llmbatch.folder / "todo.jsonl")
    for row in rows:
        row["decision"] = SUBJECTS[row["row"] % 3]
    write_rows(llmbatch.folder / "done.jsonl", rows)
    assert llmbatch("review", "import", "run", "done.jsonl").code == 0


def test_human_decisions_are_gold_and_the_threshold_is_written_to_the_task(llmbatch: Program, run: Path) -> None:
    undecided = llmbatch("evaluate", "run")
    assert undecided.code == 2
    assert "no rows of run have been decided yet" in undecided.err
    assert "llmbatch review run --sample" in undecided.err
    decide(llmbatch)
    by_decisions = llmbatch("evaluate", "run", "--precision", "50%", "--apply", "--json")
    by_file = llmbatch("evaluate", "run", "--precision", "50%", "--gold", "gold.jsonl", "--json").json
    found = by_decisions.json
    assert found["gold_file"] == "people's decisions"
    assert found["accuracy"] == by_file["accuracy"]
    assert (by_file["applied"], found["matched"]) == (None, 60)
    threshold = found["thresholds"]["recommended"]["threshold"]
    assert found["applied"] == {"task": "papers.toml", "review_below": threshold, "before": None}
    assert f"review_below = {threshold:g} written to" in by_decisions.err
    again = llmbatch("classify", "docs.jsonl", "--task", "papers.toml", "--offline", "--out", "run", "--json").json
    assert (again["session"]["requests"], again["exit_code"]) == (0, 0)
    assert json.loads((run / "run.json").read_text())["review_below"] == threshold
    task = run.parent / "papers.toml"
    task.write_text(task.read_text().replace("mixed papers", "mixed letters"))
    changed = llmbatch("evaluate", "run", "--precision", "50%", "--apply")
    assert (changed.code, "papers.toml has changed since the run" in changed.err) == (2, True)


def test_nothing_is_written_without_a_recommendation_or_for_a_packaged_task(llmbatch: Program, run: Path) -> None:
    before = (run.parent / "papers.toml").read_bytes()
    none = llmbatch("evaluate", "run", "--gold", "gold.jsonl", "--precision", "99.9%", "--apply")
    assert (none.code, "no threshold is recommended" in none.err) == (2, True)
    assert (run.parent / "papers.toml").read_bytes() == before
    llmbatch("classify", "docs.jsonl", "--offline", "--out", "packaged")
    packaged = llmbatch("evaluate", "packaged", "--gold", "gold.jsonl", "--precision", "50%", "--apply")
    assert (packaged.code, "is built in" in packaged.err) == (2, True)
    assert "--review-below" in packaged.err


@pytest.mark.usefixtures("run")
def test_a_github_job_gets_annotations_and_a_summary(llmbatch: Program) -> None:
    summary = llmbatch.folder / "summary.md"
    summary.write_text("before\n")
    gates = ("--min-accuracy", "1%", "--min-f1", "legal=100%", "--github", "--json")
    done = llmbatch("evaluate", "run", "--gold", "gold.jsonl", *gates, GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 3
    notice, error = done.err.splitlines()
    assert notice.startswith("::notice title=llmbatch%3A default::accuracy: at least 1.0%25 required, ")
    assert error.startswith("::error title=llmbatch%3A default::F1 of legal: ")
    assert done.json["gates"][1]["passed"] is False
    shown = summary.read_text()
    assert shown.startswith("before\n### failed: default, gpt-6-luna\n")
    assert "| F1 of legal | 100.0% |" in shown
    assert "| **missed** |" in shown
    elsewhere = llmbatch("evaluate", "run", "--gold", "gold.jsonl", "--github", GITHUB_STEP_SUMMARY="")
    assert "no summary written" in elsewhere.err
    refused = llmbatch("evaluate", "run", "--gold", "gold.jsonl", "--github", GITHUB_STEP_SUMMARY="no/such/file")
    assert (refused.code, "GITHUB_STEP_SUMMARY=no/such/file: cannot be written" in refused.err) == (2, True)
