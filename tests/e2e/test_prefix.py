"""A run keeps the prefix that it started with."""

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows

TASK = """
name = "papers"
instructions = '''{instructions}'''
[[labels]]
name = "technical"
[[labels]]
name = "business"
"""
EXAMPLE = '[[pool]]\ntext = "{text}"\nlabel = "technical"\n'


def test_appended_rows_make_none_pending_and_the_user_can_request_the_whole_pool(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    pool = "".join(EXAMPLE.format(text=f"Error {number}: the disk is full. " * 5) for number in range(6))
    task = TASK.format(instructions="Read the whole of it before you judge. " * 70) + pool
    (llmbatch.folder / "papers.toml").write_text(task)
    command = ("classify", "docs.jsonl", "-p", "papers.toml", "--base-url", server.url, "--json", "--verbose")

    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    first = llmbatch(*command)
    assert (first.json["prefix"]["pool_examples"], first.json["prefix"]["cached_tokens"]) == (0, 0)
    assert "they would cost more than they save in one row" in first.err

    write_rows(llmbatch.folder / "docs.jsonl", documents(30))
    second = llmbatch(*command)
    assert (server.requests, second.json["session"]["skipped"]) == (30, 1)
    assert second.json["prefix"]["pool_examples"] == 0
    assert "as when the run began" in second.err

    full = llmbatch(*command, "--prefix", "full")
    assert (server.requests, full.json["prefix"]["pool_examples"]) == (60, 6)
    assert full.json["prefix"]["cached_tokens"] > 1024
    assert llmbatch("export", "docs.llmbatch").code == 0

    fresh = llmbatch(*command, "--out", "fresh.llmbatch")
    assert fresh.json["prefix"]["pool_examples"] > 0
    assert "cheaper than without them" in fresh.err
    assert fresh.json["usage"]["cost_usd"] < full.json["session"]["cost_usd"]
