"""A checkpoint next to a long ledger: resuming a million rows need not decode a million lines.

1. A session writes the index of its ledger and the sums over it to `ledger.checkpoint`: at an orderly end, and from
   time to time during the run.
2. The next one uses them if the ledger begins with exactly the bytes that they were computed from, by their SHA-256,
   and decodes only what follows. The ledger remains the source of truth: every byte of it is still read.
3. A checkpoint that is missing, damaged, of another version or of other bytes is ignored: all lines are decoded.
"""

import hashlib
import sys
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson

import llmbatch
from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_to_read, replacing
from llmbatch.core.key_index import KeyIndex

WORTHWHILE_BYTES = 4 << 20
"""For fewer bytes, decoding takes no noticeable time."""

_BLOCK = 1 << 20
_MADE_BY = f"llmbatch {llmbatch.__version__}, {sys.byteorder} endian"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The index of a ledger's first `size` bytes, which are whole lines, and the caller's sums over them."""

    size: int
    index: KeyIndex
    sums: dict[str, Any]

    def kept_apart(self) -> "Checkpoint":
        """A copy that lines appended meanwhile do not change."""
        return replace(self, index=self.index.copied())


def load_checkpoint(ledger: Path) -> Checkpoint | None:
    """The checkpoint of a ledger, or None if there is none that matches it."""
    try:
        with open_to_read(_beside(ledger)) as file:
            beginning = file.readline()
            header = orjson.loads(beginning)
            if header["made_by"] != _MADE_BY or header["sha256"] != _digest(ledger, header["size"]):
                return None
            keys = _read_array(file, array("Q"), header["slots"])
            values = _read_array(file, array(header.get("values", "Q")), header["slots"])
            own = hashlib.sha256(beginning)
            own.update(keys)
            own.update(values)
            if own.digest() != file.read():
                return None
            index = KeyIndex.of_arrays(keys, values, count=header["count"])
            return Checkpoint(header["size"], index, header["sums"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, UsageError):
        return None


def save_checkpoint(ledger: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of a ledger. If that fails, the next session only takes longer to begin."""
    keys, values = checkpoint.index.arrays
    with suppress(OSError, UsageError), replacing(_beside(ledger)) as file:
        header = {
            "made_by": _MADE_BY,
            "size": checkpoint.size,
            "sha256": _digest(ledger, checkpoint.size),
            "slots": len(keys),
            "values": values.typecode,
            "count": len(checkpoint.index),
            "sums": checkpoint.sums,
        }
        own = hashlib.sha256()
        beginning = orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)
        for part in chain((beginning,), _blocks(keys), _blocks(values)):
            own.update(part)
            file.write(part)
        file.write(own.digest())


def _beside(ledger: Path) -> Path:
    return ledger.with_suffix(".checkpoint")


def _digest(ledger: Path, size: int) -> str:
    """The digest of the first `size` bytes.

    Raises:
        EOFError: there are fewer.
    """
    digest = hashlib.sha256()
    with open_to_read(ledger) as file:
        while size > 0:
            block = file.read(min(_BLOCK, size))
            if not block:
                raise EOFError
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _blocks(values: "array[int]") -> Iterator[bytes]:
    """Copies of the values, since keys may be added meanwhile: the same bytes are hashed and written."""
    raw = memoryview(values).cast("B")
    for start in range(0, len(raw), _BLOCK):
        yield bytes(raw[start : start + _BLOCK])


def _read_array(file: BinaryIO, into: "array[int]", length: int) -> "array[int]":
    into.fromfile(file, length)
    return into
