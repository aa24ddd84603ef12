"""The types that a caller's editor and type checker see; mypy checks this file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import llmbatch
from llmbatch import (
    Label,
    Labeler,
    Observer,
    Options,
    Result,
    RetryPolicy,
    Run,
    StopHandle,
    Summary,
    aclassify,
    classify,
    errors,
)


def test_a_run_and_its_results_are_typed() -> None:
    options: Options = {"offline": True, "retries": RetryPolicy(attempts=2), "review_below": 0.5}
    run = assert_type(classify(["The invoice is overdue."], handle=StopHandle(), **options), Run)
    result = assert_type(run[0], Result)
    assert_type(run[:1], list[Result])
    assert_type(list(run), list[Result])
    assert_type(run.labels(), dict[Any, str])
    assert_type(run.ok, bool)
    assert_type(run.folder, Path)
    summary = assert_type(run.summary, Summary)
    assert_type(summary.exit_code, int)
    assert_type(summary.labels, Mapping[str, int])
    assert_type(result.row, int)
    assert_type(result.category, str | None)
    assert_type(result.confidence, float | None)
    assert_type(result.error, Mapping[str, Any] | None)
    assert run.ok
    assert result.category is not None


async def awaited(labeler: Labeler) -> None:
    """Read by the type checker only, like the next functions."""
    assert_type(await aclassify(Path("docs.jsonl"), max_cost=5), Run)
    async with Labeler("tickets.toml", observer=Observer(), max_cost=5, model="gpt-6-luna") as opened:
        assert_type(opened, Labeler)
    label = assert_type(await labeler.label("The invoice is overdue.", id=7), Label)
    assert_type(label.category, str | None)
    assert_type(label.cost_usd, float | None)
    assert_type(label.attempts, int)


def refused() -> None:
    """A misspelt option, one of the wrong type, and one that only `classify` takes are type errors."""
    classify(["a"], max_costs=5)  # type: ignore[call-arg]
    classify(["a"], max_cost="5")  # type: ignore[arg-type]
    Labeler(out="folder")  # type: ignore[call-arg]


def caught(error: errors.LLMBatchError) -> None:
    """Errors have a public message, hint and exit code."""
    assert_type(error.message, str)
    assert_type(error.hint, str | None)
    assert_type(error.exit_code, errors.ExitCode)
    try:
        classify("docs.jsonl")
    except errors.Interrupted as interrupted:
        assert_type(interrupted, llmbatch.errors.Interrupted)
    except errors.RunStopped as stopped:
        assert_type(stopped.exit_code, errors.ExitCode)
