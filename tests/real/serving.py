"""Real servers as child processes: each prints its address and exits when its standard input closes."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def served(python: str, script: str, *arguments: str) -> Iterator[str]:
    """A server's base URL, while it runs.

    Args:
        python: an interpreter with the server's packages.
        script: a file next to this one.
        arguments: for the script.
    """
    command = [python, str(HERE / script), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            address = next(line for line in server.stdout if line.startswith("http"))
            yield f"{address.strip()}/v1"
        finally:
            server.stdin.close()
            server.terminate()
