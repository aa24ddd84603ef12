"""`/v1/files` and `/v1/batches`, through the real SDK."""

import io
import json
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI
from openai.types import Batch

from tests.simulate.endpoint import DOCUMENTS, LONG_TASK, Endpoint, on_endpoint, question

ENDPOINT = "/v1/chat/completions"


def lines(count: int = 4, **body: Any) -> list[dict[str, Any]]:
    return [
        {
            "custom_id": f"row-{n}",
            "method": "POST",
            "url": ENDPOINT,
            "body": question(DOCUMENTS[n], task=LONG_TASK) | body,
        }
        for n in range(count)
    ]


async def uploaded(client: Any, requests: list[dict[str, Any]]) -> str:
    raw = "".join(json.dumps(line) + "\n" for line in requests).encode()
    file = await client.files.create(
        file=("part.jsonl", io.BytesIO(raw)),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 604_800},
    )
    assert (file.purpose, file.filename, file.bytes, file.status) == ("batch", "part.jsonl", len(raw), "processed")
    assert file.expires_at == file.created_at + 604_800
    return str(file.id)


async def created(client: Any, requests: list[dict[str, Any]], **options: Any) -> Batch:
    file = await uploaded(client, requests)
    batch: Batch = await client.batches.create(
        input_file_id=file, endpoint=ENDPOINT, completion_window="24h", metadata={"run": "r-1"}, **options
    )
    return batch


async def results(client: Any, file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    content = await client.files.content(file)
    return {line["custom_id"]: line for line in map(json.loads, content.text.splitlines())}


async def finished(client: Any, requests: list[dict[str, Any]]) -> tuple[Batch, dict[str, Any], dict[str, Any]]:
    batch = await client.batches.retrieve((await created(client, requests)).id)
    return batch, await results(client, batch.output_file_id), await results(client, batch.error_file_id)


def test_a_batch_gets_the_same_answers_as_single_requests() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        batch, output, errors = await finished(endpoint.client, lines())
        alone = await endpoint.client.chat.completions.create(**question(DOCUMENTS[2], task=LONG_TASK))
        return batch, output, errors, alone, endpoint.simulator.stats

    batch, output, errors, alone, stats = on_endpoint(scenario)
    assert batch.status == "completed"
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (4, 4, 0)
    assert batch.metadata == {"run": "r-1"}
    assert errors == {}
    assert set(output) == {f"row-{n}" for n in range(4)}
    body = output["row-2"]["response"]["body"]
    assert output["row-2"]["response"]["status_code"] == 200
    assert body["choices"][0]["message"]["content"] == alone.choices[0].message.content
    reported = [line["response"]["body"]["usage"] for line in output.values()]
    assert batch.usage is not None
    assert batch.usage.input_tokens == sum(usage["prompt_tokens"] for usage in reported)
    assert (stats.files, stats.batches, stats.batch_lines, max(stats.questions.values())) == (1, 1, 4, 2)


@pytest.mark.parametrize("hits", [False, True])
def test_a_batch_uses_the_prompt_cache_only_if_configured(*, hits: bool) -> None:
    async def scenario(endpoint: Endpoint) -> int:
        _, output, _ = await finished(endpoint.client, lines())
        reported = [line["response"]["body"]["usage"]["prompt_tokens_details"] for line in output.values()]
        return sum(usage["cached_tokens"] > 0 for usage in reported)

    assert on_endpoint(scenario, batch_cache=hits) == (3 if hits else 0)


def test_refused_lines_are_written_to_the_error_file() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        requests = lines()
        requests[1]["body"]["temperature"] = 9
        return await finished(endpoint.client, requests)

    batch, output, errors = on_endpoint(scenario, "rate_limit@3")
    assert set(output) == {"row-0", "row-3"}
    assert {id_: line["response"]["status_code"] for id_, line in errors.items()} == {"row-1": 400, "row-2": 429}
    assert batch.request_counts is not None
    assert batch.request_counts.failed == 2


def test_files_and_batches_are_listed_page_by_page_and_deleted() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        client = endpoint.client
        made = [await created(client, lines(1)) for _ in range(3)]
        batches = [batch.id async for batch in client.batches.list(limit=2)]
        files = [file.id async for file in client.files.list(purpose="batch", limit=2)]
        for file in files[1:]:
            assert (await client.files.delete(file)).deleted
        with pytest.raises(openai.NotFoundError, match="No such File object"):
            await client.files.content(files[1])
        return made, batches, files, [file.id async for file in client.files.list()]

    made, batches, files, left = on_endpoint(scenario)
    assert batches == [batch.id for batch in reversed(made)]
    assert files == [batch.input_file_id for batch in reversed(made)]
    assert [file for file in left if file in files] == files[:1]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda requests: requests[1].update(custom_id="row-0"), "duplicate_custom_id"),
        (lambda requests: requests[1].update(url="/v1/responses"), "mismatched_endpoint"),
        (lambda requests: requests[1].update(method="GET"), "invalid_method"),
        (lambda requests: requests[1].pop("custom_id"), "missing_required_parameter"),
        (lambda requests: requests[1]["body"].update(model="gpt-4.1-mini"), "model_mismatch"),
        (lambda requests: requests.clear(), "empty_file"),
    ],
)
def test_an_unusable_file_fails_its_batch_and_costs_nothing(change: Any, code: str) -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        requests = lines()
        change(requests)
        batch = await endpoint.client.batches.retrieve((await created(endpoint.client, requests)).id)
        return batch, endpoint.simulator.stats.requests

    batch, asked = on_endpoint(scenario)
    assert (batch.status, batch.errors.data[0].code, asked) == ("failed", code, 0)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("batch_expire@1", "expired", "batch_expired"), ("batch_cancel[done=0.25]@1", "cancelled", "batch_cancelled")],
)
def test_a_batch_that_ends_early_keeps_its_answers(fault: str, status: str, code: str) -> None:
    batch, output, errors = on_endpoint(lambda endpoint: finished(endpoint.client, lines()), fault)
    assert batch.status == status
    assert len(output) == (2 if status == "expired" else 1)
    assert {line["error"]["code"] for line in errors.values()} == {code}
    assert len(output) + len(errors) == 4


def test_an_enqueued_token_limit_fails_a_batch_after_it_was_accepted() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        client = endpoint.client
        first, second = await created(client, lines()), await created(client, lines())
        return first.status, await client.batches.retrieve(second.id), await client.batches.retrieve(first.id)

    status, second, first = on_endpoint(scenario, enqueued_tokens=100)
    assert status == "validating"
    assert second.status == first.status == "failed"
    assert second.errors.data[0].code == "token_limit_exceeded"
    assert "Limit: 100 enqueued tokens" in second.errors.data[0].message


def test_result_lines_can_be_lost_doubled_null_foreign_or_refused_on_demand() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        client = endpoint.client
        batch = await client.batches.retrieve((await created(client, lines(6))).id)
        files = [await client.files.content(file or "") for file in (batch.output_file_id, batch.error_file_id)]
        raw = "".join(file.text for file in files)
        return [json.loads(line) for line in raw.splitlines()], endpoint.simulator.stats

    reported, stats = on_endpoint(
        scenario,
        "batch_line_lost@1",
        "batch_line_double@2",
        "batch_line_null@3",
        "batch_line_foreign@4",
        "rate_limit@4",
    )
    ids = [line["custom_id"] for line in reported]
    assert sorted(ids) == ["another-run", "row-1", "row-1", "row-2", "row-3", "row-4", "row-5"]
    by_id = {line["custom_id"]: line for line in reported}
    assert by_id["row-2"]["response"] is None
    assert by_id["row-4"]["response"]["status_code"] == 429
    assert stats.batch_lines == 5
    assert sum(stats.faults.values()) == 5


def test_calls_fail_on_demand() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        client = endpoint.client
        with pytest.raises(openai.InternalServerError):
            await uploaded(client, lines(1))
        with pytest.raises(openai.BadRequestError, match="Cannot find a file"):
            await created(client, lines(1))
        with pytest.raises(openai.APIConnectionError):
            await created(client, lines(1))
        with pytest.raises(openai.InternalServerError):
            await created(client, lines(1))
        with pytest.raises(openai.APIStatusError):
            await client.batches.list()
        newest = (await client.batches.list()).data
        assert len(newest) == 2
        assert newest[0].metadata is None
        assert newest[1].metadata == {"run": "r-1"}
        with pytest.raises(openai.InternalServerError):
            await client.files.content(newest[1].output_file_id or "")
        with pytest.raises(openai.APIConnectionError):
            await client.files.content(newest[1].output_file_id or "")
        assert await results(client, newest[1].output_file_id)

    on_endpoint(
        scenario,
        "batch_upload_error@1",
        "batch_file_not_found@1",
        "batch_create_lost@2",
        "batch_create_error@3",
        "batch_no_list@1",
        "batch_no_metadata@2",
        "batch_content_error@1",
        "batch_content_cut@2",
    )


def test_a_batch_can_stay_unfinished_be_late_expire_or_vanish_on_demand() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        client = endpoint.client
        stays, late, gone, vanished = [await created(client, lines(1)) for _ in range(4)]
        assert (await client.batches.retrieve(stays.id)).status == "validating"
        await client.batches.cancel(stays.id)
        assert (await client.batches.retrieve(stays.id)).status == "cancelled"
        seen = [await client.batches.retrieve(late.id) for _ in range(4)]
        assert {batch.status for batch in seen} == {"completed"}
        assert [batch.output_file_id is None for batch in seen] == [True, True, True, False]
        with pytest.raises(openai.NotFoundError):
            await client.files.content((await client.batches.retrieve(gone.id)).output_file_id or "")
        with pytest.raises(openai.NotFoundError, match="No batch found"):
            await client.batches.retrieve(vanished.id)

    on_endpoint(scenario, "batch_validating@1", "batch_output_late@2", "batch_output_gone@3", "batch_vanished@4")


def test_the_azure_api_is_served() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        azure = AsyncAzureOpenAI(
            azure_endpoint=endpoint.url.removesuffix("/v1"),
            api_version="2025-04-01-preview",
            api_key="k",
            max_retries=0,
        )
        requests = [line | {"url": "/chat/completions"} for line in lines()]
        async with azure:
            file = await uploaded(azure, requests)
            endpoint_of_azure: Any = "/chat/completions"
            batch = await azure.batches.create(input_file_id=file, endpoint=endpoint_of_azure, completion_window="24h")
            return await azure.batches.retrieve(batch.id)

    assert on_endpoint(scenario).status == "completed"
