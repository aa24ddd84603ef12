"""A run in shards: one process each; together they are one run."""

import csv
import json
import signal
from pathlib import Path

import pytest

from llmbatch import classify
from llmbatch.core.errors import UsageError
from llmbatch.runs.ledger.lock import locked
from tests.e2e.batches import IMPATIENT
from tests.e2e.conftest import StartEndpoint
from tests.e2e.holder import send_to_holder
from tests.e2e.program import (
    Program,
    accounted,
    documents,
    ledger_lines,
    read_rows,
    wait_until,
    write_rows,
)
from tests.sealing import rewrite

COUNT = 60
VIEWS = ("results.jsonl", "review.jsonl", "failed.jsonl", "sample.jsonl")


@pytest.fixture
def run(llmbatch: Program) -> Path:
    write_rows(llmbatch.folder / "docs.jsonl", [*documents(COUNT), b"no JSON"])
    return llmbatch.folder / "docs.llmbatch"


def in_one_second(one: Path, other: Path) -> None:
    """Give both records the modification time of the second."""
    changed = {"updated_at": json.loads(other.read_text())["updated_at"]}
    rewrite(one, lambda record: record | changed)


def test_killed_and_redivided_shards_give_the_same_run_as_one_process(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    server, quick = endpoint("--latency", "0.05"), endpoint()
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--sample", "10%", "--quiet")
    others = (*command, "--concurrency", "1", "--shard")
    processes = [llmbatch.start(*others, f"{number}/2") for number in (1, 2)]
    shards = [run / f"shard-{number}-of-2" for number in (1, 2)]
    for shard, process in zip(shards, processes, strict=True):
        wait_until(lambda shard=shard: ledger_lines(shard) >= 3, process)  # type: ignore[misc]
        send_to_holder(shard, signal.SIGSTOP)
    seen = llmbatch("show", "docs.llmbatch", "--json")
    assert (seen.json["state"], seen.json["rows"]["total"]) == ("running", COUNT + 1)
    assert seen.json["rows"]["ok"] >= 6
    for process in processes:
        process.kill()
        process.communicate()
    kept = sum(map(ledger_lines, shards))
    in_flight = server.requests - kept
    reported = []
    for number in (3, 1, 2):
        done = llmbatch(*command, "--shard", f"{number}/3", "--max-failed", "1")
        assert done.code == 0, done.err
        reported.append(len(accounted(run / f"shard-{number}-of-3")))
    assert sum(reported) == COUNT + 1
    assert server.requests == COUNT + in_flight, "only requests in flight are sent again"
    in_one_second(shards[0] / "run.json", run / "shard-2-of-3" / "run.json")
    merged = llmbatch("merge", "docs.llmbatch", "--json")
    assert (merged.code, merged.json["state"], merged.json["rows"]["undone"]) == (3, "finished", 0)
    assert [listed["rows"] for listed in llmbatch("runs", "--json").json["runs"]] == [COUNT + 1]
    assert accounted(run) == list(range(COUNT + 1))
    llmbatch("classify", "docs.jsonl", "--base-url", quick.url, "--sample", "10%", "--out", "undivided", "--quiet")
    for name in VIEWS:
        assert (run / name).read_bytes() == (llmbatch.folder / "undivided" / name).read_bytes(), name
    before = server.requests
    assert llmbatch(*command).code == 3, "the merged run resumes from there, and the unreadable row stays unreadable"
    assert server.requests == before


def test_commands_on_the_run_include_its_shards(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    server = endpoint("--fault", "refusal@1-4")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0.99", "--quiet", "--shard")
    assert llmbatch(*command, "1/2").code == 3
    early = llmbatch("merge", "docs.llmbatch")
    assert (early.code, "not begun: 2/2" in early.err) == (7, True), "come back later"
    assert llmbatch(*command, "2/2").code in (0, 3)
    assert read_rows(run / "shard-1-of-2" / "failed.jsonl")
    assert llmbatch("retry", "docs.llmbatch", "--base-url", server.url, "--json").json["rows"]["failed"] == 0
    again = llmbatch("retry", "docs.llmbatch/shard-1-of-2", "--base-url", server.url, "--json").json
    assert (again["rows"]["failed"], again["session"]["requests"]) == (0, 0), "those rows were answered meanwhile"
    assert accounted(run) == list(range(COUNT + 1))


def test_people_decide_for_the_whole_run(llmbatch: Program, run: Path) -> None:
    command = ("classify", "docs.jsonl", "--offline", "--out", run, "--review-below", "0.99", "--quiet", "--shard")
    for shard in ("1/2", "2/2"):
        assert llmbatch(*command, shard).code in (0, 3)
    refused = llmbatch("review", "export", run / "shard-1-of-2")
    assert (refused.code, f"llmbatch review {run}" in refused.err) == (2, True)
    waiting = list(csv.DictReader(llmbatch("review", "export", run).out.splitlines()))
    decided = write_rows(run.with_name("decided.jsonl"), [{**row, "decision": "legal"} for row in waiting])
    assert llmbatch("review", "import", run, decided).code == 0
    reviewed = [llmbatch("export", run / f"shard-{n}-of-2").code for n in (1, 2)]
    assert reviewed == [0, 0]
    for folder in (run, run / "shard-1-of-2"):
        assert {row["category"] for row in read_rows(folder / "results.jsonl") if "reviewer" in row} == {"legal"}


@pytest.mark.parametrize("given", ["0/2", "3/2", "2", "1/0", "1/99999", "a/b", "-1/2", "1/2/3", "1,2"])
def test_an_invalid_shard_is_refused(llmbatch: Program, run: Path, given: str) -> None:
    done = llmbatch("classify", "docs.jsonl", "--offline", "--shard", given)
    assert (done.code, "like 2/8" in done.err) == (2, True)
    assert not run.exists()


@pytest.mark.usefixtures("run")
def test_a_run_that_cannot_be_divided_is_refused(llmbatch: Program, tmp_path: Path) -> None:
    stdin = llmbatch("classify", "-", "--offline", "--shard", "1/2", stdin=b'{"text": "a"}\n')
    assert (stdin.code, "--shard needs input files" in stdin.err) == (2, True)
    canary = llmbatch("classify", "docs.jsonl", "--offline", "--shard", "1/2", "--canary-model", "gpt-6")
    assert (canary.code, "cannot be combined" in canary.err) == (2, True)
    with pytest.raises(UsageError, match="needs input files"):
        classify(["a text"], offline=True, shard="1/2", out=tmp_path / "memory")
    assert llmbatch("merge", "docs.llmbatch").code == 2, "nothing was divided"


def test_rows_that_another_process_may_label_are_refused(llmbatch: Program, run: Path) -> None:
    command = ("classify", "docs.jsonl", "--offline", "--out", "docs.llmbatch", "--quiet")
    assert llmbatch(*command, "--shard", "1/2").code in (0, 3)
    with locked(run / "shard-1-of-2"):
        for options in (("--shard", "1/2"), ("--shard", "1/3"), ()):
            assert llmbatch(*command, *options).code == 6, options
        other = llmbatch(*command, "--shard", "2/2", "--reasoning")
        assert (other.code, "another task, model or parameters" in other.err) == (6, True)
        assert llmbatch("retry", "docs.llmbatch").code == 6
        assert llmbatch(*command, "--shard", "2/2").code in (0, 3)
    with locked(run):
        assert llmbatch(*command, "--shard", "1/2").code == 6


def test_python_labels_a_shard(run: Path) -> None:
    parts = [classify(run.with_name("docs.jsonl"), offline=True, out=run, shard=f"{n}/2") for n in (1, 2)]
    assert sum(len(part) for part in parts) == COUNT + 1


def test_shards_of_several_machines_are_merged_once_copied_together(llmbatch: Program, run: Path) -> None:
    def machine(name: str) -> Program:
        return Program(llmbatch.folder, {"XDG_STATE_HOME": str(llmbatch.folder / name)})

    for number in (1, 2):
        command = ("classify", "docs.jsonl", "--offline", "--out", run, "--quiet", "--shard", f"{number}/2")
        assert machine(f"{number}")(*command).code in (0, 3)
    refused = machine("3")("merge", run)
    assert (refused.code, "--trust" in refused.err) == (2, True)
    assert machine("3")("merge", run, "--trust").code == 3
    assert accounted(run) == list(range(COUNT + 1))


def test_each_shard_has_its_own_batches(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(COUNT))
    served = endpoint("--fault", "batch_line_lost@1,40")
    command = ("classify", "docs.jsonl", "--base-url", served.url, "--json", "--batch", "--yes")
    for shard in ("1/2", "2/2"):
        assert llmbatch(*command, "--shard", shard, **IMPATIENT).code == 7
    assert llmbatch("show", "docs.llmbatch", "--json").json["at_provider"]["rows"] == COUNT
    listed = llmbatch("batch", "list", "docs.llmbatch", "--json").json["parts"]
    assert [(part["shard"], part["part"]) for part in listed] == [("1/2", 1), ("2/2", 1)]
    cancelled = llmbatch("batch", "cancel", "docs.llmbatch", "--base-url", served.url, **IMPATIENT)
    assert "shard 2/2, part 1: " in cancelled.err
    for elsewhere in (command, (*command, "--shard", "1/3"), ("retry", "docs.llmbatch", "--base-url", served.url)):
        refused = llmbatch(*elsewhere, **IMPATIENT)
        assert refused.code == 2
        assert "are already in batches at the provider" in refused.err
    for shard in ("1/2", "2/2"):
        done = llmbatch(*command, "--shard", shard, "--batch-wait", "1h", **IMPATIENT)
        assert done.code == 0, done.err
    merged = llmbatch("merge", "docs.llmbatch", "--json", **IMPATIENT).json
    assert (merged["rows"]["ok"], served.requests) == (COUNT, COUNT + 2)
    assert merged["usage"]["possibly_billed_requests"] == 2
    assert llmbatch("spend", "--json", **IMPATIENT).json["total"]["possibly_billed_requests"] == 2


def test_one_limit_holds_for_all_shards_even_if_one_is_killed(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    server = endpoint("--latency", "0.02")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--price", "1,1,1", "--max-cost", "0.05", "--quiet")
    processes = [llmbatch.start(*command, "--concurrency", "2", "--shard", f"{number}/2") for number in (1, 2)]
    wait_until(lambda: ledger_lines(run / "shard-1-of-2") >= 3, processes[0])
    processes[0].kill()
    for process in processes:
        process.communicate()
    assert processes[1].returncode == 5, "the limit does not cover all rows"
    assert llmbatch(*command, "--shard", "1/2").code == 5
    sent = server.requests
    assert sent < COUNT
    for shard in ("1/2", "2/2", "3/3"):
        again = llmbatch("classify", *command[1:-1], "--shard", shard)
        assert again.code == 5
        assert "--max-cost $0.05 is reached" in again.err
    assert server.requests == sent, "with no session running, the ledgers hold all that was spent"
    billed = server.stats["prompt_tokens"] + server.stats["completion_tokens"]
    assert 0.03 < billed / 1e6 <= 0.05
    assert llmbatch("classify", *command[1:-3], "--quiet").code in (0, 3), "without the limit, the rest is labelled"


@pytest.mark.usefixtures("run")
def test_a_limit_counts_what_the_run_cost_before_it_was_divided(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    priced = ("classify", "docs.jsonl", "--base-url", server.url, "--price", "1,1,1", "--quiet")
    assert llmbatch(*priced, "--max-cost", "0.04").code == 5
    sent = server.requests
    assert llmbatch(*priced, "--max-cost", "0.04", "--shard", "1/2").code == 5
    assert server.requests == sent
    assert llmbatch(*priced, "--max-cost", "0.06", "--shard", "1/2").code == 5
    assert sent < server.requests < 2 * sent


@pytest.mark.usefixtures("run")
def test_a_damaged_record_of_the_limit_is_refused_and_can_be_deleted(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--price", "1,1,1", "--max-cost", "1")
    record = llmbatch.folder / "docs.llmbatch" / "max-cost.sqlite3"
    assert llmbatch(*command, "--shard", "1/2").code in (0, 3)
    record.write_bytes(b"not a database, by any means")
    refused = llmbatch(*command, "--shard", "2/2")
    assert refused.code == 8
    assert "delete it while no shard is running" in refused.err
    record.unlink()
    assert llmbatch(*command, "--shard", "2/2").code in (0, 3)
