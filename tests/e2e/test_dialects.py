"""Endpoints of other providers: errors are recognised whatever their form."""

from collections import Counter
from typing import Any

import pytest

from tests.e2e.program import Done, Program, documents, write_rows
from tests.e2e.scripted import Asked, Reply, answer, is_row, scripted
from tests.ledgers import ledger_rows

QUOTA = {"error": {"message": "This request requires more credits, or fewer max_tokens.", "code": 402}}
FORBIDDEN = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"


def classified(llmbatch: Program, url: str, *arguments: str) -> Done:
    return llmbatch(
        "classify", "docs.jsonl", "--base-url", url, "--model", "m", "--json", *arguments, OPENAI_API_KEY="k"
    )


def ledger(llmbatch: Program) -> list[dict[str, Any]]:
    return ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")


def kinds(llmbatch: Program) -> Counter[str | None]:
    return Counter((line.get("error") or {}).get("kind") for line in ledger(llmbatch))


def rows(llmbatch: Program, count: int) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(count))


def test_an_error_inside_a_200_stops_the_run_with_its_own_text(llmbatch: Program) -> None:
    rows(llmbatch, 30)
    with scripted(lambda asked: Reply(200, QUOTA) if asked.number > 5 else answer()) as endpoint:
        done = classified(llmbatch, endpoint.url)
    assert done.code == 4
    assert "requires more credits" in done.err
    assert kinds(llmbatch) == {None: 5}


def test_a_firewall_page_for_some_rows_fails_those_and_a_rerun_sends_them_last(llmbatch: Program) -> None:
    rows(llmbatch, 30)

    def script(asked: Asked) -> Reply:
        return Reply(403, FORBIDDEN) if is_row(asked, 4, 5, 17) else answer()

    with scripted(script) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 3
        assert kinds(llmbatch) == {None: 27, "refused": 3}
        assert "403 Forbidden" in ledger(llmbatch)[-1].get("error", {"message": "403 Forbidden"})["message"]
        rows(llmbatch, 34)
        before = len(endpoint.asked)
        assert classified(llmbatch, endpoint.url, "--concurrency", "1").code == 3
        later = [is_row(asked, 4, 5, 17) for asked in endpoint.asked[before:]]
    assert later == sorted(later), "rows that were never sent come first"
    assert kinds(llmbatch) == {None: 31, "refused": 6}


def test_a_revoked_key_stops_the_run_after_three_rows(llmbatch: Program) -> None:
    rows(llmbatch, 60)
    withdrawn = Reply(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
    with scripted(lambda asked: withdrawn if asked.number > 10 else answer()) as endpoint:
        done = classified(llmbatch, endpoint.url, "--concurrency", "1")
    assert done.code == 4
    assert len(endpoint.asked) <= 16
    assert "3 consecutive rows failed the same way" in done.err


def test_refusals_faster_than_answers_do_not_stop_the_run(llmbatch: Program) -> None:
    rows(llmbatch, 80)
    bad_request = Reply(400, {"error": {"message": "computer says no"}})

    def script(asked: Asked) -> Reply:
        return bad_request if asked.number > 8 and any(f"{n}." in asked.text for n in (3, 8)) else answer()

    with scripted(script) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 3
    assert kinds(llmbatch)["bad_request"] >= 13


def test_an_unknown_finish_reason_is_accepted_with_a_valid_answer_and_error_is_retried(llmbatch: Program) -> None:
    rows(llmbatch, 8)

    def script(asked: Asked) -> Reply:
        broken = asked.times == 1 and asked.number % 3 == 0
        return answer('{"cat', finish_reason="error") if broken else answer(finish_reason="eos_token")

    with scripted(script) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 0
    assert all(line["flags"] == ["finish_reason_unusual"] for line in ledger(llmbatch))


def test_an_answer_in_the_thinking_field_is_found_or_reported(llmbatch: Program) -> None:
    rows(llmbatch, 4)
    right = '{"category":"technical","percent":92}'

    def script(asked: Asked) -> Reply:
        thinking = right if is_row(asked, 0, 1) else f"It is {right}, I think."
        return answer(None, message={"reasoning_content": thinking})

    with scripted(script) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 3
    lines = sorted(ledger(llmbatch), key=lambda line: line["row"])
    assert [line.get("flags") for line in lines[:2]] == [["answer_in_thinking"]] * 2
    assert all("empty except for reasoning" in line["error"]["message"] for line in lines[2:])


@pytest.mark.parametrize(("thinks", "limit"), [(False, 120), (True, 900)])
def test_an_output_limit_that_cuts_good_answers_is_raised_and_stops_nothing(
    llmbatch: Program,
    thinks: bool,  # noqa: FBT001
    limit: int,
) -> None:
    rows(llmbatch, 60)

    def script(asked: Asked) -> Reply:
        room = asked.body.get("max_tokens") or asked.body["max_completion_tokens"]
        used = min(room, limit)
        usage = {"prompt_tokens": 1700, "completion_tokens": used, "total_tokens": 1700 + used}
        if thinks:
            usage["completion_tokens_details"] = {"reasoning_tokens": max(used - 12, 0)}
        if room < limit:
            return answer("" if thinks else '{"cat', finish_reason="length", usage=usage)
        return answer(usage=usage)

    with scripted(script) as endpoint:
        done = classified(llmbatch, endpoint.url, "--concurrency", "2")
        assert done.code == 0, done.err
        assert len(endpoint.asked) < 70
        assert "--max-output-tokens" in done.err
        rows(llmbatch, 64)
        before = len(endpoint.asked)
        assert classified(llmbatch, endpoint.url, "--concurrency", "2").code == 0
        assert len(endpoint.asked) == before + 4, "the next session keeps the limit"


def test_request_fallbacks_are_saved_in_the_run(llmbatch: Program) -> None:
    rows(llmbatch, 4)
    refusal = Reply(400, {"errors": ["temperature: not supported for this model"]})
    with scripted(lambda asked: refusal if "temperature" in asked.body else answer()) as endpoint:
        done = classified(llmbatch, endpoint.url)
        assert "continuing with temperature=None" in done.err
        rows(llmbatch, 6)
        classified(llmbatch, endpoint.url)
    assert len(endpoint.asked) == 7


def test_an_accepted_response_format_survives_one_rows_refusal(llmbatch: Program) -> None:
    rows(llmbatch, 20)
    refusal = Reply(400, {"error": {"message": "response_format is not supported for this input"}})
    with scripted(lambda asked: refusal if is_row(asked, 9) else answer()) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 3
    assert all("response_format" in asked.body for asked in endpoint.asked)
    assert kinds(llmbatch) == {None: 19, "bad_parameter": 1}


def test_a_server_that_is_loading_its_model_is_waited_for(llmbatch: Program) -> None:
    rows(llmbatch, 4)
    loading = Reply(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})
    with scripted(lambda asked: loading if asked.number <= 2 else answer()) as endpoint:
        done = classified(llmbatch, endpoint.url)
    assert done.code == 0, done.err
    assert "endpoint down (loading, HTTP 503)" in done.err


def test_an_unreachable_server_is_reported_at_once_and_waited_for_no_longer_than_allowed(llmbatch: Program) -> None:
    rows(llmbatch, 4)
    done = classified(
        llmbatch,
        "http://127.0.0.1:9/v1",
        "--max-wait",
        "1",
        "--retry-wait-min",
        "0.5",
        "--retry-wait-max",
        "1",
        "--attempts",
        "9",
    )
    assert done.code == 7
    assert "127.0.0.1:9 refuses connections; retrying (2 of 9) in " in done.err
    assert "longer than --max-wait 1" in done.err


def test_a_cost_stated_by_a_proxy_is_used(llmbatch: Program) -> None:
    rows(llmbatch, 3)
    stated = answer()
    reply = Reply(200, stated.body, {"x-litellm-response-cost": "0.00025"})
    with scripted(lambda _: reply) as endpoint:
        done = classified(llmbatch, endpoint.url)
    assert [line["cost_usd"] for line in ledger(llmbatch)] == [0.00025] * 3
    assert done.json["usage"]["cost_usd"] == pytest.approx(0.00075)


def test_a_cost_limit_needs_a_price_even_for_ones_own_server(llmbatch: Program) -> None:
    rows(llmbatch, 3)
    with scripted(lambda _: answer()) as endpoint:
        refused = classified(llmbatch, endpoint.url, "--max-cost", "1")
        assert (refused.code, endpoint.asked) == (2, [])
        assert "0,0,0" in refused.err
        assert classified(llmbatch, endpoint.url, "--max-cost", "1", "--price", "0,0,0").code == 0


TOO_LONG = {
    "code": 400,
    "message": "request (18794 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "type": "exceed_context_size_error",
    "n_ctx": 8192,
}


def long_rows(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [*documents(4), {"id": "long", "text": "The server is slow. " * 4000}])


def test_a_context_window_is_learned_from_a_refusal_and_the_next_run_truncates_to_it(llmbatch: Program) -> None:
    long_rows(llmbatch)

    def script(asked: Asked) -> Reply:
        if len(asked.text) > 60_000:
            return Reply(400, {"error": TOO_LONG})
        read = 1800 + len(asked.text) // 5
        return answer(usage={"prompt_tokens": read, "completion_tokens": 12, "total_tokens": read + 12})

    with scripted(script) as endpoint:
        first = classified(llmbatch, endpoint.url, "--truncate", "head")
        assert (first.code, kinds(llmbatch)) == (3, {None: 4, "too_long": 1})
        assert "--truncate has no effect yet" in first.err
        assert "the context window of m is 8,192 tokens" in first.err
        again = classified(llmbatch, endpoint.url, "--truncate", "head")
    assert again.code == 0
    assert ledger(llmbatch)[-1]["flags"] == ["truncated"]


def test_the_only_model_a_server_lists_is_used_with_its_window(llmbatch: Program) -> None:
    long_rows(llmbatch)
    models = {"object": "list", "data": [{"id": "tiny", "object": "model", "meta": {"n_ctx": 8192}}]}
    with scripted(lambda _: answer(), models=models) as endpoint:
        done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint.url, "--json", OPENAI_API_KEY="k")
    assert done.code == 3
    assert {asked.body["model"] for asked in endpoint.asked} == {"tiny"}
    assert len(endpoint.asked) == 4
    failed = next(line for line in ledger(llmbatch) if line["id"] == "long")
    assert "the window of tiny (8,192) leaves for it" in failed["error"]["message"]


def test_a_server_with_several_models_needs_one_named(llmbatch: Program) -> None:
    rows(llmbatch, 2)
    with scripted(lambda _: answer(), models={"data": [{"id": "a"}, {"id": "b"}]}) as endpoint:
        done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint.url, OPENAI_API_KEY="k")
    assert (done.code, endpoint.asked) == (2, [])
    assert "--model: a, b" in done.err


def test_a_task_that_fills_the_window_by_itself_is_reported_at_once(llmbatch: Program) -> None:
    rows(llmbatch, 20)
    refusal = Reply(400, {"error": {**TOO_LONG, "n_ctx": 1024}})
    with scripted(lambda _: refusal) as endpoint:
        done = classified(llmbatch, endpoint.url)
    assert (done.code, len(endpoint.asked)) == (4, 1)
    assert "fill the model's window (1,024)" in done.err
    listed = {"data": [{"id": "m", "max_model_len": 1024}]}
    with scripted(lambda _: answer(), models=listed) as endpoint:
        done = classified(llmbatch, endpoint.url, "--out", "other")
    assert (done.code, endpoint.asked) == (2, [])


def test_a_server_that_truncates_the_prompt_itself_is_noticed(llmbatch: Program) -> None:
    rows(llmbatch, 2)
    usage = {"prompt_tokens": 512, "completion_tokens": 12, "total_tokens": 524}
    with scripted(lambda _: answer(usage=usage)) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 0
    assert [line["flags"] for line in ledger(llmbatch)] == [["prompt_cut"]] * 2


def test_a_first_row_refused_by_a_firewall_does_not_block_every_rerun(llmbatch: Program) -> None:
    rows(llmbatch, 6)
    with scripted(lambda asked: Reply(403, FORBIDDEN) if is_row(asked, 0) else answer()) as endpoint:
        assert classified(llmbatch, endpoint.url).code == 4
        assert kinds(llmbatch) == {"refused": 1}
        assert classified(llmbatch, endpoint.url).code == 3
    assert kinds(llmbatch) == {"refused": 2, None: 5}
