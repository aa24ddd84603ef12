"""Several rows in a request: every row has its own outcome, cost and ledger line."""

from pathlib import Path

import pytest

from llmbatch.core.money import to_nanousd
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import (
    Program,
    accounted,
    documents,
    ledger_lines,
    wait_until,
    write_rows,
)
from tests.ledgers import ledger_rows

COUNT = 60
PRICE = "1,1,5"
"""With these prices, the endpoint's own counts give the bill."""
PACKED = ("--rows-per-request", "8")


@pytest.fixture
def run(llmbatch: Program) -> Path:
    write_rows(llmbatch.folder / "docs.jsonl", documents(COUNT))
    return llmbatch.folder / "docs.llmbatch"


def test_packed_rows_get_the_labels_and_keys_of_single_ones_at_a_lower_cost(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    server = endpoint()
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--json")
    single = llmbatch(*command, "--out", "single").json["usage"]
    asked = server.requests
    done = llmbatch(*command, *PACKED)
    assert done.code == 0, done.err
    alone = {line["key"]: line["category"] for line in ledger_rows(llmbatch.folder / "single" / "ledger.jsonl")}
    lines = ledger_rows(run / "ledger.jsonl")
    assert {line["key"]: line["category"] for line in lines} == alone
    assert accounted(run) == list(range(COUNT))
    assert server.requests - asked == done.json["usage"]["requests"] < COUNT / 4
    assert done.json["usage"]["cost_usd"] < single["cost_usd"] * 0.7
    assert llmbatch(*command).json["session"]["requests"] == 0, "sending singly pays for no row again"


def test_costs_are_split_exactly_whatever_happens_to_packs(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    server = endpoint("--fault", "pack_missing=20%", "--fault", "truncated=20%", "--fault", "refusal=10%")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--price", PRICE, *PACKED, "--reask", "4", "--json")
    done = llmbatch(*command)
    assert accounted(run) == list(range(COUNT))
    lines, stats = ledger_rows(run / "ledger.jsonl"), server.stats
    assert done.json["usage"]["requests"] == stats["requests"] > 8
    billed_nanousd = 1_000 * (stats["prompt_tokens"] + 5 * stats["completion_tokens"])
    assert sum(to_nanousd(line.get("cost_usd", 0.0)) for line in lines) == billed_nanousd


def test_an_estimate_of_packed_rows_is_within_five_percent_of_the_bill(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    assert not run.exists()
    (shown,) = llmbatch("estimate", "docs.jsonl", "--exact", "--json").json["models"]
    assert [way["way"] for way in shown["ways"]] == ["sync", "flex", "batch", "packed"]
    (estimate,) = llmbatch("estimate", "docs.jsonl", "--exact", *PACKED, "--json").json["models"]
    assert estimate["cost_usd"]["expected"] < shown["cost_usd"]["expected"]
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, *PACKED, "--json")
    assert done.json["usage"]["cost_usd"] == pytest.approx(estimate["cost_usd"]["expected"], rel=0.05)


def test_after_a_kill_the_rows_of_a_pack_are_possibly_billed_once_and_sent_again(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    server = endpoint("--latency", "0.05")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "2", "--price", PRICE, "--json")
    process = llmbatch.start(*command, *PACKED)
    wait_until(lambda: ledger_lines(run) >= 9, process)
    process.kill()
    process.communicate()
    kept, before = ledger_lines(run), server.stats
    done = llmbatch(*command, *PACKED)
    assert done.code == 0, done.err
    assert accounted(run) == list(range(COUNT))
    keys = [line["key"] for line in ledger_rows(run / "ledger.jsonl")]
    assert len(keys) == len(set(keys)) == COUNT
    usage = done.json["usage"]
    assert usage["possibly_billed_requests"] <= 2 * 8, "rows of the packs in flight"
    stats = server.stats
    billed_usd = (stats["prompt_tokens"] + 5 * stats["completion_tokens"]) / 1e6
    assert billed_usd <= usage["cost_usd"] + usage["possibly_billed_usd"] + 1e-9
    assert stats["requests"] - before["requests"] <= (COUNT - kept) / 8 + 3


@pytest.mark.parametrize("cap_usd", ["0.02", "0.05"])
def test_a_cost_limit_holds_for_packs_and_is_used_up(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, cap_usd: str
) -> None:
    server = endpoint("--fault", "truncated=20%")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--price", PRICE, *PACKED, "--json")
    done = llmbatch(*command, "--max-cost", cap_usd, "--concurrency", "16")
    usage, stats = done.json["usage"], server.stats
    billed_usd = (stats["prompt_tokens"] + 5 * stats["completion_tokens"]) / 1e6
    assert usage["cost_usd"] == pytest.approx(billed_usd)
    assert billed_usd <= float(cap_usd)
    assert done.code == (5 if done.json["rows"]["undone"] else 0)
    assert accounted(run)


def test_confidence_is_measured_row_by_row_in_a_pack(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--model", "gpt-4o-mini", "--json")
    measured = ("--confidence", "logprobs")
    assert llmbatch(*command, *measured, "--out", "single").code == 0
    assert llmbatch(*command, *measured, *PACKED).code == 0
    alone = {row["key"]: row for row in ledger_rows(llmbatch.folder / "single" / "ledger.jsonl")}
    for line in ledger_rows(run / "ledger.jsonl"):
        assert line["confidence_from"] == "logprobs"
        assert line["confidence"] == pytest.approx(alone[line["key"]]["confidence"], abs=0.02)


def test_arms_reuse_and_shards_work_with_packs(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    server = endpoint()
    command = ("classify", "docs.jsonl", "--base-url", server.url, *PACKED, "--json")
    llmbatch.env["LLMBATCH_REUSE_STORE"] = str(llmbatch.folder / "answers")
    arms = ("--canary-model", "gpt-5.4-mini", "--canary-share", "40%", "--escalate-to", "gpt-5.4")
    done = llmbatch(*command, *arms, "--review-below", "0.9", "--reuse")
    assert done.code == 0, done.err
    assert done.json["canary"]["arms"]["canary"]["rows"] > 5
    assert done.json["escalation"]["rows"] > 0
    assert accounted(run) == list(range(COUNT))
    again = llmbatch(*command, "--reuse", "--out", "again")
    assert again.json["session"]["from_earlier_runs"] > 20
    for part in ("1/2", "2/2"):
        assert llmbatch(*command, "--out", "parted", "--shard", part).code == 0
    assert llmbatch("merge", "parted").code == 0
    assert accounted(llmbatch.folder / "parted") == list(range(COUNT))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--batch",), "--batch cannot be combined with --rows-per-request"),
        (("--candidates", "3"), "--rows-per-request cannot be combined with labels that are retrieved"),
        (("--rows-per-request", "0"), "'0' is neither a number from 1 to 100 nor auto"),
    ],
)
def test_options_incompatible_with_packs_are_refused_before_anything_is_sent(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, options: tuple[str, ...], why: str
) -> None:
    server = endpoint()
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, *PACKED, *options)
    assert (done.code, server.requests) == (2, 0)
    assert why in done.err
    assert not run.exists()


@pytest.mark.parametrize(
    ("most_lost", "rows", "why"),
    [
        ("0.5%", 1, "request may lose more than --max-packing-loss 0.5%: 100.0% of 60 texts labelled the same, 94.0%"),
        ("6.1%", 8, "100.0% of 60 texts labelled the same, 94.0% at the low end, within --max-packing-loss 6.1%"),
    ],
)
def test_auto_follows_a_comparison(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, most_lost: str, rows: int, why: str
) -> None:
    served = ("--base-url", endpoint().url, "--json")
    auto = ("--rows-per-request", "auto", "--max-packing-loss", most_lost)
    assert "run llmbatch compare" in llmbatch("classify", "docs.jsonl", *served, *auto, "--out", "first").err
    sizes = ("--rows-per-request", "1", "--rows-per-request", "8")
    assert llmbatch("compare", "docs.jsonl", *served, *sizes, "--rows", str(COUNT)).code == 0
    done = llmbatch("classify", "docs.jsonl", *served, *auto)
    assert done.code == 0, done.err
    assert why in done.err
    assert max(line.get("rows_in_request", 1) for line in ledger_rows(run / "ledger.jsonl")) == rows


def test_packed_rows_are_compared_with_single_ones(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    assert not run.exists()
    swapped = endpoint("--fault", "pack_swapped=100%")
    write_rows(llmbatch.folder / "gold.jsonl", [{"id": row["id"], "category": "technical"} for row in documents(COUNT)])
    command = ("compare", "docs.jsonl", "--base-url", swapped.url, "--rows", "60", "--gold", "gold.jsonl", "--json")
    done = llmbatch(*command, "--rows-per-request", "1", "--rows-per-request", "8")
    assert done.code == 0, done.err
    arms, (versus,) = done.json["comparison"]["arms"], done.json["comparison"]["versus"]
    assert [arm["name"] for arm in arms] == ["1 row a request", "8 rows a request"]
    assert versus["agreement"]["value"] < 1
    assert versus["cost_ratio"] < 1
    (trial,) = done.json["packings"]
    assert trial["rows_per_request"] == 8
    assert trial["difference_low"] < 0
