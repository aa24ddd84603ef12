"""A low limit on open files: fewer requests at once, and no warning about the endpoint."""

import json

from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import SURROUNDINGS
from tests.e2e.program import Program, documents, write_rows


def test_a_run_continues_with_as_many_requests_as_can_be_open(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(150))
    short_of_files = Program(llmbatch.folder, {SURROUNDINGS: json.dumps({"limits": {"NOFILE": 60}})})
    url = endpoint("--latency", "0.02").url
    done = short_of_files("classify", "docs.jsonl", "--base-url", url, "--concurrency", "150", OPENAI_API_KEY="k")
    assert done.code == 0, done.err
    assert done.err.count("this process cannot open any more files") == 1
    assert "ulimit -n" in done.err
    assert "endpoint down" not in done.err
