"""An endpoint enforces limits that the run is not given: all rows are labelled, with next to no refusals."""

import pytest

from tests.databases.server import QUOTED_PASSWORD, Database
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows


@pytest.mark.parametrize("limit", [("--rpm", "3000"), ("--tpm", "4000000")])
def test_a_stated_limit_is_respected_without_any_option(
    llmbatch: Program, endpoint: StartEndpoint, limit: tuple[str, str]
) -> None:
    server = endpoint(*limit, "--latency", "0.1")
    write_rows(llmbatch.folder / "docs.jsonl", documents(100))
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--json")
    assert (done.code, done.json["rows"]["total"]) == (0, 100)
    refused = server.stats["statuses"].get("429", 0)
    assert refused <= 0.01 * server.requests


@pytest.mark.parametrize("own", [(), ("--rpm", "3000")], ids=["stated", "own"])
def test_processes_share_one_limit(llmbatch: Program, endpoint: StartEndpoint, own: tuple[str, ...]) -> None:
    server = endpoint("--rpm", "3000", "--latency", "0.1")
    write_rows(llmbatch.folder / "docs.jsonl", documents(150))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--quiet", *own, "--shard")
    processes = [llmbatch.start(*command, f"{number}/3") for number in (1, 2, 3)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 3
    assert server.stats["statuses"].get("429", 0) <= 0.01 * server.requests


@pytest.mark.parametrize("written", ["--rate-store={}", "--rate-store {}"])
def test_limits_are_shared_through_a_database_whose_password_is_written_nowhere(
    llmbatch: Program, endpoint: StartEndpoint, postgresql: Database, written: str
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    store = written.format(postgresql.address).split()
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint("--rpm", "6000").url, *store)
    assert done.code == 0, done.err
    assert postgresql.execute("select count(*) from llmbatch_rates") == [(1,)]
    kept = [path.read_bytes() for path in (llmbatch.folder / "docs.llmbatch").iterdir()]
    assert not any(QUOTED_PASSWORD.encode() in content for content in [*kept, done.err.encode(), done.out.encode()])


def test_the_users_own_limit_is_respected(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--rpm", "1200")
    write_rows(llmbatch.folder / "docs.jsonl", documents(30))
    done = llmbatch(
        "classify", "docs.jsonl", "--base-url", server.url, "--rpm", "1200", "--concurrency", "64", "--json"
    )
    assert (done.code, done.json["retries"]) == (0, {})


def test_concurrency_is_a_number_or_auto(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    for wrong in ("0", "-3", "many", "1.5"):
        done = llmbatch("classify", "docs.jsonl", "--offline", "--concurrency", wrong)
        assert done.code == 2
        assert "auto" in done.err
