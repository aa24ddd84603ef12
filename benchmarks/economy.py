"""`make economy`: what AG News costs with the prompt as llmbatch sends it, and in other arrangements of the same words.

Every request is a real one, to the offline endpoint, which keeps a prompt cache by the provider's rules; every figure
is computed from the usage that its answers report, at the model's published price. Prints a table in Markdown.
"""

import argparse
import asyncio
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from llmbatch.core.money import to_usd
from llmbatch.core.prices import Price, find_price
from llmbatch.core.usage import Usage
from llmbatch.engine.plan import ModelChoice, Plan, make_plan
from llmbatch.provider.request import request_body
from llmbatch.provider.usage import read_usage
from llmbatch.task.fence import build_document
from llmbatch.task.load import load_task

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "ag_news" / "test.csv"
TASK = "ag_news"
CONCURRENCY = 16

Arrangement = Callable[[Plan, str], dict[str, Any]]


def documents(path: Path, rows: int | None) -> list[str]:
    """The texts, joined from their fields as the reader joins them."""
    with path.open(encoding="utf-8", newline="") as file:
        return [f"{row['title']}\n\n{row['description']}" for row in csv.DictReader(file)][:rows]


def prefix_first_unmarked(plan: Plan, text: str) -> dict[str, Any]:
    """The prefix in front, and caching left to the provider's defaults."""
    return request_body(plan.question, replace(plan.shape, cache_breakpoint=False), build_document(text))


def document_first(plan: Plan, text: str) -> dict[str, Any]:
    """The same messages the other way round: nothing that two rows share stands in front."""
    body = prefix_first_unmarked(plan, text)
    return body | {"messages": list(reversed(body["messages"]))}


def document_first_uncached(plan: Plan, text: str) -> dict[str, Any]:
    """Likewise, and nothing is written to the cache: the cheapest way to send a prompt that cannot be cached."""
    return document_first(plan, text) | {"prompt_cache_options": {"mode": "explicit"}}


ARRANGEMENTS: dict[str, Arrangement] = {
    "prefix first, caching left to defaults": prefix_first_unmarked,
    "document first, caching left to defaults": document_first,
    "document first, nothing written to the cache": document_first_uncached,
}


@contextmanager
def offline_endpoint() -> Iterator[str]:
    """The offline endpoint in a process of its own; yields its base URL."""
    command = [sys.executable, "-m", "llmbatch", "simulate", "--port", "0", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


async def sent(url: str, bodies: Iterator[dict[str, Any]]) -> list[Usage]:
    """Send the bodies, the first one by itself; the usage of each answer."""
    usages: list[Usage] = []
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for body in bodies:
                async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                    usage = read_usage((await response.json())["usage"]).usage
                    assert usage is not None
                    usages.append(usage)
                if len(usages) == 1:
                    return

        await work()
        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return usages


def classified(url: str, path: Path, model: str) -> dict[str, Any]:
    """What the program itself says that it used, by its summary."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "llmbatch", "classify", str(path), "--prompt", TASK, "--model", model]
        command += [
            "--text-field",
            "title,description",
            "--base-url",
            url,
            "--out",
            f"{folder}/run",
            "--json",
            "--quiet",
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    usage: dict[str, Any] = json.loads(done.stdout)["usage"]
    return usage


def line(name: str, usage: Usage, cost_usd: float, reference_usd: float) -> str:
    """A row of the table."""
    share = usage.cached_input_tokens / usage.input_tokens
    return (
        f"| {name} | {usage.input_tokens:,} | {share:.1%} | {usage.cache_write_tokens:,} | {usage.output_tokens:,} "
        f"| ${cost_usd:.4f} | {cost_usd / reference_usd:.1%} |"
    )


def measured(url: str, plan: Plan, arrangement: Arrangement, texts: list[str], price: Price) -> tuple[Usage, float]:
    """An arrangement's usage and cost in US dollars, each request priced by itself."""
    usages = asyncio.run(sent(url, (arrangement(plan, text) for text in texts)))
    return sum(usages, Usage()), to_usd(sum(map(price.cost_nanousd, usages)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, help="only the first so many, for a quick look")
    parser.add_argument("--model", default="gpt-6-luna")
    options = parser.parse_args()
    price = find_price(options.model)
    assert price is not None
    plan = make_plan(load_task(TASK), ModelChoice(model=options.model), offline=False)
    texts = documents(options.data, options.rows)
    figures: dict[str, tuple[Usage, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_bytes(b"".join(orjson.dumps({"title": text, "description": ""}) + b"\n" for text in texts))
        with offline_endpoint() as url:
            used = classified(url, path if options.rows else options.data, options.model)
    fields = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    figures["llmbatch: prefix first, its end marked"] = (Usage(*(used[name] for name in fields)), used["cost_usd"])
    for name, arrangement in ARRANGEMENTS.items():
        with offline_endpoint() as url:
            figures[name] = measured(url, plan, arrangement, texts, price)
    reference = figures["document first, nothing written to the cache"][1]
    print(f"{len(texts):,} rows of AG News, {options.model}, {plan.prefix.why}.\n")
    print("| arrangement | input tokens | cached | written | output tokens | cost | of the reference |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, (usage, cost_usd) in figures.items():
        print(line(name, usage, cost_usd, reference))


if __name__ == "__main__":
    main()
