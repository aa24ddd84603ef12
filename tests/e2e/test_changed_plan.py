"""A run that sends finished rows again says so before it sends anything."""

import json

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--model", "gpt-6-sol", "--reasoning"], ["prompt", "model"]),
        (["--max-output-tokens", "99"], ["parameters"]),
    ],
)
def test_a_changed_plan_says_how_many_finished_rows_are_sent_again_and_at_what_cost(
    llmbatch: Program, endpoint: StartEndpoint, change: list[str], named: list[str]
) -> None:
    server = endpoint("--fault", "refusal@3")
    price = ("--price", "1,0.1,2", "--concurrency", "1")
    write_rows(llmbatch.folder / "docs.jsonl", documents(8))
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url, *price).code == 3
    write_rows(llmbatch.folder / "docs.jsonl", [*documents(8), {"id": "new", "text": "New."}])
    write_rows(llmbatch.folder / "mine.jsonl", [{"id": "d-4", "decision": "marketing"}])
    assert llmbatch("review", "import", "docs.llmbatch", "mine.jsonl").code == 0
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, *price, *change)
    assert f"the {' and the '.join(named)} changed: 6 finished rows will be sent again, about $0.0" in done.err
    assert done.err.index("changed:") < done.err.index("estimate:")


def test_nothing_is_reported_if_no_row_is_sent_again(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url)
    assert "changed" not in llmbatch(*command).err
    assert "changed" not in llmbatch(*command).err
    assert "changed" not in llmbatch(*command, "--review-below", "0.9", "--sample", "2").err


def test_for_standard_input_the_earlier_copy_is_compared(llmbatch: Program) -> None:
    rows = b"".join(json.dumps(row).encode() + b"\n" for row in documents(3))
    assert llmbatch("classify", "-", "--offline", stdin=rows).code == 0
    done = llmbatch("classify", "-", "--offline", "--reasoning", stdin=rows)
    assert "the prompt changed: 3 finished rows will be sent again, about $" in done.err
    assert "simulated (free)" in done.err
