"""Fixtures: the program in its own folder, and offline endpoints."""

import argparse
import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from llmbatch.simulate import Simulator, SimulatorSettings, parse_fault
from tests.databases.server import database, postgresql, postgresql_server
from tests.e2e.program import Endpoint, Program
from tests.readers.s3_server import s3, s3_server

__all__ = ["database", "endpoint", "endpoints", "llmbatch", "postgresql", "postgresql_server", "s3", "s3_server"]

T = TypeVar("T")


@pytest.fixture
def llmbatch(tmp_path: Path) -> Program:
    return Program(tmp_path)


StartEndpoint = Callable[..., Endpoint]


@pytest.fixture
def endpoint(endpoints: "_Endpoints") -> Iterator[StartEndpoint]:
    """Starts offline endpoints with options of `llmbatch simulate`: `endpoint("--fault", "quota@1")`."""
    running: list[Simulator] = []

    def start(*arguments: str) -> Endpoint:
        simulator = Simulator(_settings(arguments))
        url = endpoints.run(simulator.start())
        running.append(simulator)
        return Endpoint(url)

    yield start
    for simulator in running:
        endpoints.run(simulator.stop())


@pytest.fixture(scope="session")
def endpoints() -> "Iterator[_Endpoints]":
    """The real server on real sockets; in a thread, as starting a process would take half of a test's time."""
    running = _Endpoints()
    yield running
    running.close()


class _Endpoints:
    """An event loop in its own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="endpoints")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _settings(arguments: tuple[str, ...]) -> SimulatorSettings:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", action="append", default=[], type=parse_fault)
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--latency", dest="latency_s", type=float, default=0.0)
    parser.add_argument("--batch-delay", dest="batch_delay_s", type=float, default=0.0)
    parser.add_argument("--batch-cache", action="store_true")
    for name, convert in {
        "rpm": int,
        "tpm": int,
        "window": int,
        "dialect": str,
        "api-key": str,
        "seed": int,
        "faulty-model": str,
        "enqueued-tokens": int,
    }.items():
        parser.add_argument(f"--{name}", type=convert)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    faults, refuse = tuple(given.pop("fault")), frozenset(given.pop("refuse"))
    return SimulatorSettings(faults=faults, refuse=refuse, **given)
