"""`--service-tier`: requested, waited for, priced by the tier served, reported if a model or endpoint has none."""

import json
from typing import Any

import pytest

from llmbatch.engine.sending import Sending
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Done, Program, documents, write_rows
from tests.e2e.scripted import Asked, Reply, answer, scripted
from tests.ledgers import ledger_rows

FLEX = ("--service-tier", "flex")
REFUSED = Reply(
    400,
    {"error": {"message": "Invalid service_tier argument", "type": "invalid_request_error", "param": "service_tier"}},
)


def classified(llmbatch: Program, url: str, *options: str, rows: int = 6) -> Done:
    write_rows(llmbatch.folder / "docs.jsonl", documents(rows))
    return llmbatch("classify", "docs.jsonl", "--json", "--base-url", url, *options)


def ledger(llmbatch: Program) -> list[dict[str, Any]]:
    return ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")


def cost(llmbatch: Program) -> float:
    return sum(float(line["cost_usd"]) for line in ledger(llmbatch))


def test_flex_halves_the_cost_and_is_in_the_ledger(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = classified(llmbatch, endpoint().url, *FLEX)
    assert done.code == 0, done.err
    half = cost(llmbatch)
    assert done.json["service_tiers"] == {"flex": 6}
    assert "flex 6" in llmbatch("show", "docs.llmbatch").out
    assert {line["service_tier"] for line in ledger(llmbatch)} == {"flex"}
    classified(llmbatch, endpoint().url, "--out", "standard.llmbatch")
    standard = ledger_rows(llmbatch.folder / "standard.llmbatch" / "ledger.jsonl")
    assert {line["service_tier"] for line in standard} == {"default"}
    assert half == pytest.approx(sum(line["cost_usd"] for line in standard) / 2, rel=1e-3)
    assert {line["key"] for line in ledger(llmbatch)} == {line["key"] for line in standard}, "the answers are the same"


@pytest.mark.parametrize("fault", ["flex_unavailable", "flex_capacity"])
def test_missing_capacity_is_waited_out_and_costs_nothing(
    llmbatch: Program, endpoint: StartEndpoint, fault: str
) -> None:
    served = endpoint("--fault", f"{fault}@1-50", "--fault", f"{fault}=30%")
    done = classified(llmbatch, served.url, *FLEX, "--attempts", "2", rows=12)
    assert done.code == 0, done.err
    assert served.stats["faults"][fault] >= 50
    assert not any("possibly_billed_usd" in line for line in ledger(llmbatch))
    assert {retry["error"] for line in ledger(llmbatch) for retry in line.get("retries", ())} == {"overloaded"}


def test_lasting_lack_of_capacity_ends_the_run_within_max_wait_and_names_the_remedy(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    done = classified(llmbatch, endpoint("--fault", "flex_unavailable=100%").url, *FLEX, "--max-wait", "1")
    assert done.code == 7
    assert "without --service-tier flex it does not wait" in " ".join(done.err.split())
    assert classified(llmbatch, endpoint().url).code == 0
    assert {line["service_tier"] for line in ledger(llmbatch)} == {"default"}


def test_a_tier_the_model_does_not_have_is_reported_and_rows_are_sent_without_it(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    done = classified(llmbatch, served.url, *FLEX, "--model", "gpt-4o-mini")
    assert done.code == 0
    assert "no flex price is published for gpt-4o-mini" in done.err
    assert "the standard service tier and its price, instead of flex" in done.err
    assert served.requests == 7, "one refusal for all rows"


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_refused_tier_costs_one_request_per_session_and_is_reported_each_time(llmbatch: Program, status: int) -> None:
    def script(asked: Asked) -> Reply:
        return Reply(status, REFUSED.body) if "service_tier" in asked.body else answer(service_tier="default")

    with scripted(script) as served:
        for rows in (4, 8):
            done = classified(llmbatch, served.url, *FLEX, rows=rows)
            assert done.code == 0, done.err
            assert "instead of flex" in done.err
    assert sum("service_tier" in asked.body for asked in served.asked) == 2


@pytest.mark.parametrize(("fault", "said"), [("other_tier", "served at default"), ("no_tier", "do not say whether")])
def test_the_tier_that_was_served_is_the_one_priced(
    llmbatch: Program, endpoint: StartEndpoint, fault: str, said: str
) -> None:
    done = classified(llmbatch, endpoint("--fault", f"{fault}=100%").url, *FLEX)
    assert done.code == 0
    assert done.err.count(said) == 1
    assert {line.get("service_tier") for line in ledger(llmbatch)} == {"default" if fault == "other_tier" else None}
    dearer = cost(llmbatch)
    classified(llmbatch, endpoint().url, "--out", "standard.llmbatch")
    standard = ledger_rows(llmbatch.folder / "standard.llmbatch" / "ledger.jsonl")
    assert dearer == pytest.approx(sum(line["cost_usd"] for line in standard), rel=1e-3)


def test_a_cost_limit_holds_if_every_answer_comes_at_the_standard_tier(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    done = classified(llmbatch, endpoint("--fault", "other_tier@3+").url, *FLEX, "--max-cost", "0.001", rows=60)
    assert done.code == 5
    assert cost(llmbatch) <= 0.001
    assert not any("cost_above_bound" in line.get("flags", ()) for line in ledger(llmbatch))


def test_the_task_sets_the_tier_and_the_command_line_overrides_it(llmbatch: Program) -> None:
    task = 'name = "t"\n[model]\nservice_tier = "flex"\n[[labels]]\nname = "technical"\n[[labels]]\nname = "other"\n'
    (llmbatch.folder / "t.toml").write_text(task)
    with scripted(lambda _: answer(service_tier="flex")) as served:
        assert classified(llmbatch, served.url, "--prompt", "t.toml").code == 0
        assert classified(llmbatch, served.url, "--prompt", "t.toml", "--service-tier", "default", rows=9).code == 0
    assert [asked.body["service_tier"] for asked in served.asked] == ["flex"] * 6 + ["default"] * 3


def test_a_failed_row_is_retried_at_the_runs_tier_or_at_another(llmbatch: Program) -> None:
    bad_request = Reply(400, {"error": {"message": "computer says no"}})
    with scripted(lambda asked: bad_request if "case 1." in asked.text else answer(service_tier="flex")) as served:
        assert classified(llmbatch, served.url, *FLEX).code == 3
        for options in ((), ("--service-tier", "default")):
            llmbatch("retry", "docs.llmbatch", "--base-url", served.url, *options)
    assert [asked.body["service_tier"] for asked in served.asked[-2:]] == ["flex", "default"]


def test_an_estimate_uses_the_tiers_price_and_says_so(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(50))
    said = [
        json.loads(llmbatch("estimate", "docs.jsonl", "--json", *tier).out)["models"][0]
        for tier in ((), FLEX, (*FLEX, "--model", "gpt-4o-mini"))
    ]
    costs = [model["cost_usd"]["expected"] for model in said]
    assert [model["service_tier"] for model in said] == [None, "flex", "flex"]
    assert costs[1] == pytest.approx(costs[0] / 2, rel=0.01)
    assert "by the flex price" in llmbatch("estimate", "docs.jsonl", *FLEX).out
    unpriced = llmbatch("estimate", "docs.jsonl", *FLEX, "--model", "gpt-4o-mini").out
    assert "by the standard price" in " ".join(unpriced.split())


@pytest.mark.parametrize(
    ("tier", "given_s", "right_s"), [(None, None, 30), ("flex", None, 900), ("priority", None, 30), ("flex", 5.0, 5)]
)
def test_a_flex_request_has_a_timeout_of_fifteen_minutes(
    tier: str | None, given_s: float | None, right_s: float
) -> None:
    assert Sending(timeout_s=given_s).request_timeout_s(tier) == right_s


def test_a_tier_that_does_not_exist_is_refused_before_anything_is_sent(llmbatch: Program) -> None:
    done = classified(llmbatch, "http://127.0.0.1:9/v1", "--service-tier", "flx")
    assert done.code == 2
    assert "flex" in done.err


@pytest.mark.parametrize(("said", "tier"), [("flex", "flex"), ("standard", "standard"), (7, None)])
def test_a_tier_stated_in_the_usage_counts_too(llmbatch: Program, said: Any, tier: str | None) -> None:
    usage = {"prompt_tokens": 1700, "completion_tokens": 12, "total_tokens": 1712, "service_tier": said}
    with scripted(lambda _: answer(usage=usage)) as served:
        done = classified(llmbatch, served.url, *FLEX, rows=2)
    assert done.code == 0
    assert {line.get("service_tier") for line in ledger(llmbatch)} == {tier}
    nanodollars = 1700 * 100 + 12 * 500
    assert cost(llmbatch) == pytest.approx(nanodollars / (2 if tier == "flex" else 1) * 2 * 1e-9, rel=1e-6)
