"""What a long ledger comes to, kept beside it: resuming a million rows need not decode a million lines.

1. A session that ends in order writes the index of its ledger and the sums over it to `ledger.checkpoint`.
2. The next one takes them where the ledger begins with exactly the bytes that they were made of, by their SHA-256, and
   decodes only what follows. The ledger stays the truth: every byte of it is still read.
3. A checkpoint that is missing, damaged, of another version or of other bytes is passed over: all lines are decoded.
"""

import hashlib
import sys
from array import array
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

import llmbatch
from llmbatch.files import replacing
from llmbatch.ledger.index import KeyIndex

WORTHWHILE_BYTES = 8 << 20
"""Fewer than these are decoded sooner than anybody waits for."""

_BLOCK = 1 << 20
_MADE_BY = f"llmbatch {llmbatch.__version__}, {sys.byteorder} endian"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A ledger's first `size` bytes, in whole lines: the index of them, and the caller's sums over them."""

    size: int
    index: KeyIndex
    sums: dict[str, Any]


def load_checkpoint(ledger: Path) -> Checkpoint | None:
    """The checkpoint of a ledger, or None where there is none that fits it."""
    try:
        with _beside(ledger).open("rb") as file:
            header = orjson.loads(file.readline())
            if header["made_by"] != _MADE_BY or header["sha256"] != _digest(ledger, header["size"]):
                return None
            arrays = _read_array(file, header["slots"]), _read_array(file, header["slots"])
            if _digest_of(header["sums"], *arrays) != header["own_sha256"]:
                return None
            index = KeyIndex.of_arrays(*arrays, count=header["count"])
            return Checkpoint(header["size"], index, header["sums"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def save_checkpoint(ledger: Path, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint of a ledger. Where that cannot be, the next session takes longer to begin, no more."""
    with suppress(OSError), replacing(_beside(ledger)) as file:
        keys, values = checkpoint.index.arrays
        header = {
            "made_by": _MADE_BY,
            "size": checkpoint.size,
            "sha256": _digest(ledger, checkpoint.size),
            "slots": len(keys),
            "count": len(checkpoint.index),
            "sums": checkpoint.sums,
            "own_sha256": _digest_of(checkpoint.sums, keys, values),
        }
        file.write(orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE))
        keys.tofile(file)
        values.tofile(file)


def _beside(ledger: Path) -> Path:
    return ledger.with_suffix(".checkpoint")


def _digest(ledger: Path, size: int) -> str:
    """Of the first `size` bytes.

    Raises:
        EOFError: there are fewer.
    """
    digest = hashlib.sha256()
    with ledger.open("rb") as file:
        while size > 0:
            block = file.read(min(_BLOCK, size))
            if not block:
                raise EOFError
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _digest_of(sums: dict[str, Any], *arrays: "array[int]") -> str:
    digest = hashlib.sha256(orjson.dumps(sums))
    for values in arrays:
        digest.update(memoryview(values))
    return digest.hexdigest()


def _read_array(file: BinaryIO, length: int) -> "array[int]":
    values = array("Q")
    values.fromfile(file, length)
    return values
