"""A program in a folder of its own, and endpoints to point it at."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.program import PROGRAM, Endpoint, Program, environment


@pytest.fixture
def llmbatch(tmp_path: Path) -> Program:
    return Program(tmp_path)


StartEndpoint = Callable[..., Endpoint]


@pytest.fixture
def endpoint() -> Iterator[StartEndpoint]:
    """Starts offline endpoints: `endpoint("--fault", "quota@1")`."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Endpoint:
        command = [*PROGRAM, "simulate", "--port", "0", "--until-stdin-closes", *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
        )
        running.append(process)
        assert process.stdout is not None
        return Endpoint(process.stdout.readline().strip())

    yield start
    for process in running:
        process.communicate(timeout=20)
