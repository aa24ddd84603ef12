"""Real data with gold labels, and an endpoint in this process to label it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llmbatch.engine.plan import ModelChoice
from llmbatch.engine.sending import Sending
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary
from llmbatch.runs.options import RunOptions
from llmbatch.session.run import classify_run
from llmbatch.simulate import Simulator, SimulatorSettings

DATA = Path(__file__).parent / "data"


def rows_of(name: str) -> list[dict[str, Any]]:
    """A data set's rows: id, text and gold."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Served:
    """A running offline endpoint."""

    def __init__(self, simulator: Simulator, url: str) -> None:
        self._simulator = simulator
        self.url = url

    @property
    def requests(self) -> int:
        return self._simulator.stats.requests


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    simulator = Simulator(SimulatorSettings())
    url = asyncio.run_coroutine_threadsafe(simulator.start(), loop).result()
    yield Served(simulator, url)
    asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def classify_into(
    folder: Path,
    served: Served,
    rows: list[dict[str, Any]],
    task: str,
    *,
    choice: ModelChoice = ModelChoice(),
    **options: Any,
) -> Summary:
    """Label rows into `folder / "run"`."""
    source = write_jsonl(folder / "docs.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows])
    return classify_run(
        RunOptions(
            inputs=(str(source),),
            out=folder / "run",
            task=task,
            choice=choice,
            sending=Sending(base_url=served.url, concurrency=32),
            **options,
        ),
        Observer(),
    )


Classify = Callable[..., Summary]


@pytest.fixture
def classify(served: Served, tmp_path: Path) -> Classify:
    """Label rows into `tmp_path / "run"`: `classify(rows, "ag_news", review_below=0.7)`."""
    return partial(classify_into, tmp_path, served)
