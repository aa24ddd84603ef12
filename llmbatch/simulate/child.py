"""The offline endpoint as a child process, so that it does not use the run's event loop.

The child gets nothing that could make it load other code, and no secrets: it starts this very package by its file,
never looks for modules in the current folder (`-P`), works in the root folder, and gets only the variables that Python
needs to start and the endpoint's own.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from llmbatch.core.errors import StorageFailed
from llmbatch.core.own_program import own_command

_NEEDED = re.compile(
    "HOME|LANG|LC_[A-Z]+|(DY)?LD_[A-Z_]*LIBRARY_PATH|PATH|PYTHON[A-Z0-9]+|TMPDIR|TZ|LLMBATCH_SIMULATE_[A-Z_]+"
)
_BASE_URL = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/v1")

_WHY = "it says above why; see ulimit -v, -u and -n"


@contextmanager
def offline_endpoint(arguments: tuple[str, ...], *, meanwhile: Callable[[], None]) -> Iterator[str]:
    """Start the offline endpoint on a free loopback port; it ends with this process, even if that is killed.

    Args:
        arguments: further options of `llmbatch simulate`, such as `--fault`.
        meanwhile: called while it starts, which takes most of a second.

    Yields:
        Its base URL.

    Raises:
        StorageFailed: it did not start; it prints the reason itself.
    """
    # A separate process session: Ctrl-C must reach the run, which still waits for answers, but not the endpoint.
    process = subprocess.Popen(  # noqa: S603 - our own program
        own_command("simulate", "--port", "0", "--until-stdin-closes", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
        cwd="/",
        env=_bare(os.environ),
    )
    assert process.stdin is not None  # noqa: S101 - as asked for above
    assert process.stdout is not None  # noqa: S101
    try:
        meanwhile()
        url = process.stdout.readline().strip()
        if not _BASE_URL.fullmatch(url):
            raise StorageFailed("the offline endpoint did not start", hint=_WHY)
        yield url
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: no key, and a module path without the current folder."""
    kept = {name: value for name, value in environment.items() if _NEEDED.fullmatch(name)}
    if "PYTHONPATH" in kept:
        folders = filter(None, kept["PYTHONPATH"].split(os.pathsep))
        kept["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, folders))
    return kept
