"""What a run costs by each way of sending, and `--cheapest`, which chooses one."""

from typing import Any

import pytest

from tests.e2e.batches import IMPATIENT
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Done, Endpoint, Program, documents, write_rows

ROWS = 12


def classified(llmbatch: Program, served: Endpoint, *options: str) -> Done:
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    command = ("classify", "docs.jsonl", "--json", "--base-url", served.url, *options)
    return llmbatch(*command, **IMPATIENT)


def ways(llmbatch: Program, *options: str) -> dict[str, dict[str, Any]]:
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    done = llmbatch("estimate", "docs.jsonl", "--json", *options)
    assert done.code == 0, done.err
    return {way["way"]: way["cost_usd"] for way in done.json["models"][0]["ways"]}


def test_an_estimate_shows_the_ways_of_sending_side_by_side(llmbatch: Program) -> None:
    costs = ways(llmbatch)
    assert list(costs) == ["sync", "flex", "batch", "packed"]
    assert costs["flex"]["expected"] == pytest.approx(costs["sync"]["expected"] / 2, rel=0.01)
    assert costs["batch"]["low"] < costs["sync"]["expected"] < costs["batch"]["expected"]
    assert costs["batch"]["high"] >= costs["batch"]["expected"]
    shown = llmbatch("estimate", "docs.jsonl").out
    assert "within 24 h; assumes no cache hits, low end all hits" in " ".join(shown.split())


def test_only_ways_with_a_published_price_are_shown(llmbatch: Program) -> None:
    assert list(ways(llmbatch, "--model", "gpt-4o-mini")) == ["sync", "batch", "packed"]
    assert list(ways(llmbatch, "--price", "0.1,0.01,0.5")) == []
    assert list(ways(llmbatch, "--escalate-to", "gpt-6-sol")) == []


@pytest.mark.parametrize("way", ["sync", "flex", "batch"])
def test_an_estimate_is_within_5_percent_of_the_bill(llmbatch: Program, endpoint: StartEndpoint, way: str) -> None:
    expected = ways(llmbatch)[way]["expected"]
    options = {"sync": (), "flex": ("--service-tier", "flex"), "batch": ("--batch", "--batch-wait", "1h", "--yes")}[way]
    done = classified(llmbatch, endpoint(), *options)
    assert done.code == 0, done.err
    assert done.json["usage"]["cost_usd"] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("options", "tiers"),
    [
        (("--model", "gpt-6-luna"), {"flex": ROWS}),
        (("--model", "gpt-6-luna", "--deadline", "1h"), {"default": ROWS}),
        (("--model", "gpt-4o-mini"), {"batch": ROWS}),
        (("--model", "gpt-4o-mini", "--deadline", "1h"), {"default": ROWS}),
        (("--model", "gpt-4o-mini", "--reuse", "--reuse-store", "answers"), {"batch": ROWS}),
    ],
)
def test_the_cheapest_way_that_works_and_meets_the_deadline_is_chosen(
    llmbatch: Program, endpoint: StartEndpoint, options: tuple[str, ...], tiers: dict[str, int]
) -> None:
    done = classified(llmbatch, endpoint(), "--cheapest", "--batch-wait", "1h", *options)
    assert done.code == 0, done.err
    assert done.json["service_tiers"] == tiers
    assert "--cheapest: " in done.err


def test_batches_at_the_provider_are_collected_first(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    assert classified(llmbatch, served, "--batch", "--yes").code == 7
    done = classified(llmbatch, served, "--cheapest")
    assert (done.code, done.json["service_tiers"]) == (0, {"batch": ROWS})
    assert "since batches are at the provider" in done.err


def test_conflicting_options_for_the_way_of_sending_are_refused(llmbatch: Program, endpoint: StartEndpoint) -> None:
    assert classified(llmbatch, endpoint(), "--cheapest", "--batch").code == 2
    assert classified(llmbatch, endpoint(), "--batch-wait", "1h").code == 2
