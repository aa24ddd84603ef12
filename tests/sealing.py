"""Changing what is kept under checksums, as somebody who knows the format would."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmbatch.core.checksum import seal

Record = dict[str, Any]


def rewrite(path: Path, change: Callable[[Record], Record]) -> None:
    """Change each sealed record of a file, and seal it anew."""
    path.write_bytes(b"".join(_sealed(change(json.loads(line))) for line in path.read_bytes().splitlines()))


def _sealed(record: Record) -> bytes:
    whole = {name: value for name, value in record.items() if name != "crc32"}
    return seal(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode())
