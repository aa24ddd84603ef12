"""An input row as it passes through the program: read once, never changed."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

RowId = str | int | float | bool


class Place(Struct, frozen=True, gc=False):
    """A row's location: the input's name as given by the user, and the row's first line (1-based)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Row(Struct, frozen=True, gc=False):
    """One document to label.

    `index` counts all rows of all inputs from 0, rejected ones included, so that a bad row never shifts the rows after
    it. `id` keeps its JSON type: `1` and `"1"` differ. `fields` is the whole row as read, including the text and the
    id.
    """

    index: int
    id: RowId
    text: str
    place: Place
    fields: Mapping[str, Any]
    flags: tuple[str, ...] = ()
    """Changes made to it, as ledger flags: `surrogates_replaced`, `truncated`."""


POINTS = 1 << 64
"""Exclusive upper bound of points."""


def point(row: Row, purpose: str, seed: int = 0) -> int:
    """A pseudo-random number, uniform from 0 to `POINTS` and always the same for a given row.

    It depends on the row's id and text, not on its place, so that adding, removing or moving rows does not change the
    others' points. An id that is only the row's place is ignored; rows with the same id differ by their text.

    Args:
        row: the row.
        purpose: the purpose of the draw, at most 16 bytes; different purposes give independent points.
        seed: a different seed gives different points.
    """
    is_place = type(row.id) is int and row.id == row.index and row.id not in row.fields.values()
    name = "" if is_place else repr(row.id)
    digest = hashlib.blake2b(digest_size=8, person=purpose.encode(), salt=seed.to_bytes(8, "big", signed=True))
    digest.update(f"{name}\x00{row.text}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big")


class Rejection(Struct, frozen=True, gc=False):
    """A row that cannot be read as a document. It is reported, stored with its raw bytes, and never sent.

    `kind` is one of a closed set (`bad_json`, `bad_encoding`, `bad_columns`, `bad_csv`, `not_an_object`,
    `missing_text`, `text_not_a_string`, `empty_text`, `missing_id`, `bad_id`, `too_large`, `bad_gzip`,
    `bad_packing`, `bad_table`, `unreadable`); `message` is for display.
    """

    index: int
    place: Place
    kind: str
    message: str
    raw: bytes
    fields: Mapping[str, Any] | None = None
    """The fields that could be read: all but the one that was rejected."""


class ConfidenceKind(StrEnum):
    """Source of a confidence: stated by the model, or computed from its label tokens' log-probabilities."""

    reported = "reported"
    logprobs = "logprobs"


class Truncation(StrEnum):
    """How a document that is too long is cut."""

    HEAD = "head"
    HEAD_TAIL = "head-tail"
