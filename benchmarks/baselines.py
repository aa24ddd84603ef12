"""The loops that people write by hand, as baselines.

    python -m benchmarks.baselines sdk|sdk-retries|aiohttp URL INPUT.jsonl CONCURRENCY

`sdk` is the plain SDK loop (`chat.completions.create` behind a semaphore, httpx transport), `sdk-retries` the same with
the SDK's default retries, where a row that fails all the same is lost, `aiohttp` a bare client
that sends ready-made bodies: the ceiling of a Python client here. Both send the prompt that llmbatch sends, and keep
the answers' content in a file.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import aiohttp
import orjson
from openai import DEFAULT_MAX_RETRIES, APIError, AsyncOpenAI

from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.provider.request import RequestEncoder, request_body
from llmbatch.session.event_loop import loop_factory
from llmbatch.task.fence import build_document
from llmbatch.task.load import load_task

PLAN = make_plan(load_task(None), ModelChoice(), offline=False)


Ask = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def _sdk(url: str, *, max_retries: int = 0) -> AsyncIterator[Ask]:
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=max_retries) as client:

        async def ask(text: str) -> str:
            body = request_body(PLAN.question, PLAN.shape, build_document(text))
            completion = await client.chat.completions.create(**body)
            return completion.choices[0].message.content or ""

        yield ask


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Ask]:
    encoder = RequestEncoder(PLAN.question)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(text: str) -> str:
            body = encoder.encode(text, PLAN.shape)
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
                content: str = orjson.loads(await response.read())["choices"][0]["message"]["content"]
                return content

        yield ask


_LOOPS: dict[str, Callable[[str], AbstractAsyncContextManager[Ask]]] = {
    "sdk": _sdk,
    "sdk-retries": partial(_sdk, max_retries=DEFAULT_MAX_RETRIES),
    "aiohttp": _aiohttp,
}


async def _run(name: str, url: str, path: Path, concurrency: int) -> None:
    slots = asyncio.Semaphore(concurrency)
    async with _LOOPS[name](url) as ask:
        with path.with_suffix(f".{name}").open("w") as out:

            async def one(text: str) -> None:
                async with slots:
                    with suppress(APIError) if name == "sdk-retries" else nullcontext():
                        out.write(await ask(text) + "\n")

            async with asyncio.TaskGroup() as group:
                with path.open("rb") as rows:
                    for raw in rows:
                        group.create_task(one(orjson.loads(raw)["text"]))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:  # as llmbatch itself: uvloop where it is installed
        runner.run(_run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
