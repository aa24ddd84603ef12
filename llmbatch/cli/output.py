"""Standard output for programs: bytes that do not depend on the locale."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.sanitize import neutral


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object, in UTF-8, on a line of its own."""
    from llmbatch.core.jsonlines import dump_line

    print_bytes(dump_line(data))


def print_path(path: Path | str) -> None:
    """Print a file's name on a line of its own: its bytes, but on a terminal without control characters."""
    if sys.stdout.isatty():
        print_bytes(neutral(os.fspath(path)).encode() + b"\n")
    else:
        print_bytes(os.fsencode(path) + b"\n")


def print_bytes(data: bytes) -> None:
    """Print bytes, after flushing what was printed before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
