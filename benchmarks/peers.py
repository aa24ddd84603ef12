"""The same rows by other packages, each as its documentation has it.

    python -m benchmarks.peers litellm|instructor|curator URL INPUT.jsonl CONCURRENCY

Run it by an interpreter that has them, and llmbatch, installed. Each sends llmbatch's prompt, reads an answer into a
label of the task and a percentage, and keeps the labels in a file.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, Field

from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.provider.request import request_body
from llmbatch.task.fence import build_document
from llmbatch.task.load import load_task

PLAN = make_plan(load_task(None), ModelChoice(), offline=False)
MODEL = PLAN.question.model
UNLIMITED = 10**9
"""Requests and tokens a minute, for one that wants to keep to some."""

Category = StrEnum("Category", list(PLAN.space.parts))  # type: ignore[misc]


class Answer(BaseModel):
    """What an answer states, as the prompt asks for it."""

    category: Category
    confidence: float = Field(ge=0, le=1)


def _texts(path: Path) -> Iterator[str]:
    with path.open("rb") as rows:
        for raw in rows:
            yield orjson.loads(raw)["text"]


def _messages(text: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = request_body(PLAN.question, PLAN.shape, build_document(text))["messages"]
    return messages


def _litellm(url: str) -> Callable[[str], Awaitable[str]]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches the present one first
    import litellm  # type: ignore[import-not-found]  # noqa: PLC0415 - in an interpreter of its own

    async def ask(text: str) -> str:
        body = request_body(PLAN.question, PLAN.shape, build_document(text))
        named = {**body, "model": f"openai/{body['model']}"}
        answer = await litellm.acompletion(api_base=url, api_key="none", max_retries=0, drop_params=True, **named)
        return str(Answer.model_validate_json(answer.choices[0].message.content).category)

    return ask


def _instructor(url: str) -> Callable[[str], Awaitable[str]]:
    import instructor  # type: ignore[import-not-found]  # noqa: PLC0415
    from openai import AsyncOpenAI  # noqa: PLC0415

    client = instructor.from_openai(
        AsyncOpenAI(base_url=url, api_key="none", max_retries=0), mode=instructor.Mode.JSON_SCHEMA
    )

    async def ask(text: str) -> str:
        answer = await client.chat.completions.create(
            model=MODEL, messages=_messages(text), response_model=Answer, max_retries=0
        )
        return str(answer.category)

    return ask


async def _each(ask: Callable[[str], Awaitable[str]], path: Path, out: Path, concurrency: int) -> None:
    slots = asyncio.Semaphore(concurrency)
    with out.open("w") as file:

        async def one(text: str) -> None:
            async with slots:
                file.write(await ask(text) + "\n")

        async with asyncio.TaskGroup() as group:
            for text in _texts(path):
                group.create_task(one(text))


def _curator(url: str, path: Path, out: Path, concurrency: int) -> None:
    """It has a loop, a cache and a rate of its own, and reads and writes tables.

    Its own reading of answers is left out: it asks first whether the endpoint can answer in another form than this one.
    """
    import litellm  # noqa: PLC0415 - has the tokenizer's table that curator would fetch

    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers")
    os.environ |= {"TELEMETRY_ENABLED": "0", "CURATOR_DISABLE_RICH_DISPLAY": "1", "OPENAI_API_KEY": "none"}
    from bespokelabs import curator  # type: ignore[import-not-found]  # noqa: PLC0415

    class Labels(curator.LLM):  # type: ignore[misc]
        def prompt(self, row: dict[str, Any]) -> list[dict[str, Any]]:
            return _messages(row["text"])

        def parse(self, row: dict[str, Any], answer: str) -> dict[str, Any]:
            return {"text": row["text"], "category": str(Answer.model_validate_json(answer).category)}

    limits = {"max_requests_per_minute": UNLIMITED, "max_tokens_per_minute": UNLIMITED}
    params = {"base_url": url, "max_concurrent_requests": concurrency, "max_retries": 0, **limits}
    labels = Labels(model_name=MODEL, backend="openai", backend_params=params)
    answers = labels([{"text": text} for text in _texts(path)], working_dir=str(out.with_suffix(".cache")))
    rows = getattr(answers, "dataset", answers)
    out.write_text("".join(f"{row['category']}\n" for row in rows))


if __name__ == "__main__":
    name, url, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    out, concurrency = path.with_suffix(f".{name}"), int(sys.argv[4])
    if name == "curator":
        _curator(url, path, out, concurrency)
    else:
        asyncio.run(_each({"litellm": _litellm, "instructor": _instructor}[name](url), path, out, concurrency))
