"""An offline endpoint and the real SDK to call it with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.chat import ChatCompletion

from llmbatch.simulate import Simulator, SimulatorSettings, parse_fault
from llmbatch.task.fence import build_document
from llmbatch.task.model import Task
from llmbatch.task.prefix import build_prefix

T = TypeVar("T")

TASK = Task.model_validate(
    {
        "name": "papers",
        "labels": [
            {"name": "technical", "description": "Software, servers, crashes, error messages, stack traces."},
            {"name": "business", "description": "Revenue, profit, customers, invoices, markets."},
            {"name": "legal", "description": "Contracts, clauses, liability, courts."},
        ],
        "examples": [{"text": "The service times out under load.", "label": "technical"}],
    }
)
SCHEMA = TASK.label_space.answer_schema(reasoning=False)
LONG_TASK = TASK.model_copy(update={"instructions": "Read the whole of it before you judge. " * 150})
DOCUMENTS = [f"The server crashed with a stack trace in case {number}." for number in range(200)]


@dataclass(frozen=True)
class Endpoint:
    """A running offline endpoint."""

    simulator: Simulator
    url: str
    client: AsyncOpenAI

    async def ask(self, document: str = DOCUMENTS[0], **changes: Any) -> ChatCompletion:
        """Send one request as the engine would, except for `changes`; None leaves a parameter out."""
        body = question(document) | changes
        completion: ChatCompletion = await self.client.chat.completions.create(
            **{name: value for name, value in body.items() if value is not None}
        )
        return completion


def question(document: str, *, task: Task = TASK) -> dict[str, Any]:
    """The body of a request."""
    return {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": build_prefix(task)},
            {"role": "user", "content": build_document(document)},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": task.label_space.answer_schema(reasoning=False),
            },
        },
    }


def on_endpoint(
    scenario: Callable[[Endpoint], Awaitable[T]],
    *faults: str,
    clock: Callable[[], float] | None = None,
    key: str = "any",
    **settings: Any,
) -> T:
    """Run a scenario against a new endpoint."""

    async def run() -> T:
        simulator_settings = SimulatorSettings(faults=tuple(map(parse_fault, faults)), **settings)
        simulator = Simulator(simulator_settings) if clock is None else Simulator(simulator_settings, clock=clock)
        url = await simulator.start()
        http_client = DefaultAsyncHttpxClient(
            follow_redirects=False, verify=False
        )  # otherwise it loads CA certificates first
        async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=20, http_client=http_client) as client:
            try:
                return await scenario(Endpoint(simulator, url, client))
            finally:
                await simulator.stop()

    return asyncio.run(run())
