"""Checksums of stored data: each line of a log, and each file that holds one JSON object, is sealed.

A sealed record is a JSON object that begins with its format's number and ends with the CRC-32 of all bytes before:
`{"format":2,...,"crc32":"9f3a11bc"}`. CRC-32 finds every burst of up to 32 flipped bits in a record of any length that
occurs here (Peterson and Brown 1961); it does not protect against deliberate changes.

Format 1, from earlier versions, has no checksum, and its lines do not state a format.
"""

import re
from zlib import crc32

FORMAT = 2
"""Current format of sealed records: decisions, `sent.log`, `run.json`, sample checks and calibrations."""
HEAD = b'{"format":%d,' % FORMAT
"""How each sealed record begins."""
LEDGER_FORMAT = 3
"""Current format of ledger lines; in format 2, each line was self-contained."""

_HEADS = {newest: tuple(b'{"format":%d,' % n for n in range(FORMAT, newest + 1)) for newest in (FORMAT, LEDGER_FORMAT)}
_ANY_HEAD = b'{"format":'

_STATED = re.compile(rb'\s*\{\s*"format"\s*:\s*(\d+)')
_SEAL = b',"crc32":"%08x"}\n'
_SEAL_BYTES = len(_SEAL % 0)


class NewerFormatError(ValueError):
    """A record in a format that only a newer llmbatch can read."""


def seal(record: bytes) -> bytes:
    """Seal a record as a line, newline included.

    Args:
        record: a JSON object that begins with its format, without a newline.
    """
    body = record[:-1]
    return body + _SEAL % crc32(body)


def unseal(line: bytes, newest: int = FORMAT) -> bytes:
    """Return the record of a sealed line, as it was passed to `seal`.

    Args:
        line: the line with its newline.
        newest: the current format of such lines; earlier sealed formats are also read.

    Raises:
        NewerFormatError: the line is in a newer format.
        ValueError: the line is not sealed, or its checksum does not match.
    """
    fits = _fits(line)
    if fits and line.startswith(_HEADS[newest]):
        return line[:-_SEAL_BYTES] + b"}"
    is_sealed = b'"crc32":"' in line
    if (fits or not is_sealed) and (stated := stated_format(line)) > newest:  # a flipped bit could imitate it
        raise NewerFormatError(f"its format {stated} is from a newer llmbatch")
    raise ValueError("its checksum does not match" if is_sealed else "it has no checksum")


def stated_format(raw: bytes) -> int:
    """The format that a record states; 1 if it states none."""
    stated = _STATED.match(raw)
    return 1 if stated is None else int(stated[1][:9])


def is_unsealed(raw: bytes) -> bool:
    """Whether this could be a format 1 record."""
    return stated_format(raw) == 1 and b'"crc32":"' not in raw[-_SEAL_BYTES - 1 :]


def unseal_file(raw: bytes) -> bytes:
    """Return the record of a file that holds one JSON object, as `unseal` does; a format 1 file is returned unchanged.

    Raises:
        NewerFormatError: it is in a newer format.
        ValueError: it is damaged.
    """
    if (stated := stated_format(raw)) > FORMAT:
        raise NewerFormatError(f"its format {stated} is from a newer llmbatch")
    return raw if is_unsealed(raw) else unseal(raw)


def mended(tail: bytes) -> bytes | None:
    """Repair a file's last line if only its newline is missing or damaged; None if more than that is."""
    lines = (tail + b"\n", tail[:-1] + b"\n")
    return next((line for line in lines if line.startswith(_ANY_HEAD) and _fits(line)), None)


def _fits(line: bytes) -> bool:
    """Whether a line ends with the checksum of the bytes before it."""
    return line[-_SEAL_BYTES:] == _SEAL % crc32(line[:-_SEAL_BYTES])


class LineCheck:
    """Checks and unseals one file's lines, in order.

    Lines without a checksum are accepted only at the start of a file, where an earlier version wrote them.
    """

    def __init__(self, *, from_start: bool, newest: int = FORMAT) -> None:
        """`from_start`: whether the next line is the file's first; `newest`: as for `unseal`."""
        self._may_be_unsealed = from_start
        self._newest = newest

    def record(self, line: bytes) -> bytes:
        """Return the next line's record.

        Raises:
            ValueError: the line is damaged, or in a newer format.
        """
        try:
            record = unseal(line, self._newest)
        except ValueError:
            if self._may_be_unsealed and is_unsealed(line):
                return line
            raise
        self._may_be_unsealed = False
        return record
