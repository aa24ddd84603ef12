"""Real servers as child processes: each prints its address and ends with its standard input."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def served(python: str, script: str, *arguments: str) -> Iterator[str]:
    """A server's base URL, while it runs.

    Args:
        python: the interpreter that has its packages.
        script: a file beside this one.
        arguments: the script's.
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
