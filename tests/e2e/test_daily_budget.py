"""`--daily-budget` holds across processes, kills and resumes, by the endpoint's own accounting."""

import sqlite3
from pathlib import Path

from llmbatch.core.prices import parse_price
from llmbatch.core.usage import Usage
from tests.databases.server import PASSWORD, Database
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Endpoint, Program, documents, ledger_lines, wait_until, write_rows

PRICE = "1,1,2"
CAP_USD = 0.15
CAP_NUSD = 150_000_000


def billed_nanousd(server: Endpoint) -> int:
    stats = server.stats
    usage = Usage(stats["prompt_tokens"], stats["cached_tokens"], 0, stats["completion_tokens"])
    return parse_price(PRICE).cost_nanousd(usage)


def charged(store: Path) -> tuple[int, int]:
    """(nano-dollars spent or perhaps spent, nano-dollars charged) in the whole store."""
    db = sqlite3.connect(store)
    spent: tuple[int, int] = db.execute("SELECT sum(spent_nusd), sum(charged_nusd) FROM spend").fetchone()
    db.close()
    return spent


def test_two_processes_and_a_kill_stay_within_one_budget(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server, store = endpoint("--latency", "0.1"), llmbatch.folder / "private" / "spend.sqlite3"
    options = ("--base-url", server.url, "--price", PRICE, "--daily-budget", str(CAP_USD), "--concurrency", "64")
    runs = {}
    for name in ("a", "b"):
        write_rows(llmbatch.folder / f"{name}.jsonl", documents(150))
        runs[name] = llmbatch.start("classify", f"{name}.jsonl", *options, "--spend-store", store)

    def leaders() -> list[str]:
        return [name for name in runs if ledger_lines(llmbatch.folder / f"{name}.llmbatch") >= 5]

    wait_until(lambda: bool(leaders()), runs["a"])
    name = leaders()[0]
    killed = runs.pop(name)
    killed.kill()
    killed.communicate()
    (other,) = runs.values()
    _, err = other.communicate(timeout=60)
    assert other.returncode == 5, err
    assert "--daily-budget $0.15 is reached" in err
    assert "the next day begins at" in err
    assert billed_nanousd(server) <= CAP_NUSD
    spent, held = charged(store)
    assert 0.98 * CAP_NUSD <= spent == held <= CAP_NUSD, "what the killed run had reserved was released and used"
    sent = server.requests
    resumed = llmbatch("classify", f"{name}.jsonl", *options, "--spend-store", store)
    assert (resumed.code, server.requests) == (5, sent)
    assert "in flight when the last session was killed" in resumed.err
    assert charged(store) == (spent, held)
    assert oct(store.parent.stat().st_mode)[-3:] == "700"
    assert oct(store.stat().st_mode)[-3:] == "600"


def test_if_the_remaining_budget_is_unknown_nothing_is_sent(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    (llmbatch.folder / "spend").write_bytes(b"not a database, " * 100)
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--spend-store", "spend")
    refused = llmbatch(*command, "--daily-budget", "1")
    assert (refused.code, server.requests) == (8, 0)
    assert "the spend store cannot be used (file is not a database)" in refused.err
    assert "Traceback" not in refused.err
    without_budget = llmbatch(*command)
    assert (without_budget.code, server.requests) == (0, 3)
    assert "will not show this run's whole cost" in without_budget.err


def test_machines_share_a_budget_through_a_database(
    llmbatch: Program, endpoint: StartEndpoint, postgresql: Database
) -> None:
    server, store = endpoint("--latency", "0.05"), ("--spend-store", postgresql.address)
    options = ("--base-url", server.url, "--price", PRICE, "--daily-budget", str(CAP_USD), "--concurrency", "16")
    machines = {name: Program(llmbatch.folder, {"XDG_STATE_HOME": str(llmbatch.folder / name)}) for name in ("1", "2")}
    for name in machines:
        write_rows(llmbatch.folder / f"{name}.jsonl", documents(150))

    def charged() -> tuple[int, int]:
        sums = postgresql.execute("select sum(spent_nusd)::bigint, sum(charged_nusd)::bigint from llmbatch_spend")
        return sums[0][0], sums[0][1]

    killed = machines["1"].start("classify", "1.jsonl", *options, *store)
    wait_until(lambda: ledger_lines(llmbatch.folder / "1.llmbatch") >= 5, killed)
    killed.kill()
    killed.communicate()
    assert charged()[0] < charged()[1], "it had reserved more than it had spent"
    resumed = machines["1"]("classify", "1.jsonl", *options, *store)
    assert (resumed.code, "--daily-budget $0.15 is reached" in resumed.err) == (5, True), resumed.err
    assert 0.98 * CAP_NUSD <= charged()[0] == charged()[1] <= CAP_NUSD, "the killed session was settled at once"
    sent = server.requests
    other = machines["2"]("classify", "2.jsonl", *options, *store)
    assert (other.code, server.requests) == (5, sent)
    assert billed_nanousd(server) <= CAP_NUSD
    shown = machines["2"]("spend", "--by", "run", *store, "--json").json
    assert shown["total"]["cost_usd"] + shown["total"]["possibly_billed_usd"] >= 0.98 * CAP_USD
    assert PASSWORD not in resumed.err + other.err + str(shown)
    gone = machines["2"]("classify", "2.jsonl", *options, "--spend-store", "postgresql://app@/none?host=/nowhere")
    assert (gone.code, server.requests, "Traceback" in gone.err) == (2, sent, False), gone.err
