"""Checksums of what is kept: each line of a log, and each file that is one JSON object, is sealed.

A sealed record is a JSON object that begins with its format's number and ends with the CRC-32 of all bytes before:
`{"format":2,...,"crc32":"9f3a11bc"}`. CRC-32 finds every burst of up to 32 flipped bits in a record of any length that
occurs here (Peterson and Brown 1961); it is no protection against somebody who wants to deceive.

Format 1, of earlier versions, has no checksum, and its lines state no format either.
"""

import re
from zlib import crc32

FORMAT = 2
"""Of sealed records: the decisions, `sent.log`, `run.json`, sample checks and calibrations."""
HEAD = b'{"format":%d,' % FORMAT
"""How each of them begins."""
LEDGER_FORMAT = 3
"""Of the ledger's lines; those of format 2 were each complete in itself."""

_HEADS = {newest: tuple(b'{"format":%d,' % n for n in range(FORMAT, newest + 1)) for newest in (FORMAT, LEDGER_FORMAT)}
_ANY_HEAD = b'{"format":'

_STATED = re.compile(rb'\s*\{\s*"format"\s*:\s*(\d+)')
_SEAL = b',"crc32":"%08x"}\n'
_SEAL_BYTES = len(_SEAL % 0)


class NewerFormatError(ValueError):
    """A record of a format that only a newer llmbatch knows."""


def seal(record: bytes) -> bytes:
    """The record as a sealed line, newline included.

    Args:
        record: a JSON object that begins with its format, without a newline.
    """
    body = record[:-1]
    return body + _SEAL % crc32(body)


def unseal(line: bytes, newest: int = FORMAT) -> bytes:
    """The record of a sealed line, as `seal` was given it.

    Args:
        line: with its newline.
        newest: the format of such lines that is written now; earlier sealed ones are read as well.

    Raises:
        NewerFormatError: the line is of a newer format.
        ValueError: the line is not sealed, or its checksum does not match.
    """
    fits = _fits(line)
    if fits and line.startswith(_HEADS[newest]):
        return line[:-_SEAL_BYTES] + b"}"
    is_sealed = b'"crc32":"' in line
    if (fits or not is_sealed) and (stated := stated_format(line)) > newest:  # else a flipped bit could claim it
        raise NewerFormatError(f"its format {stated} is from a newer llmbatch")
    raise ValueError("its checksum does not match" if is_sealed else "it has no checksum")


def stated_format(raw: bytes) -> int:
    """The format that a record says it has; 1 where it says none."""
    stated = _STATED.match(raw)
    return 1 if stated is None else int(stated[1][:9])


def is_unsealed(raw: bytes) -> bool:
    """Whether this can be a record of format 1."""
    return stated_format(raw) == 1 and b'"crc32":"' not in raw[-_SEAL_BYTES - 1 :]


def unseal_file(raw: bytes) -> bytes:
    """The record of a file that is one JSON object, as `unseal`; or the file as it is where it is of format 1.

    Raises:
        NewerFormatError: it is of a newer format.
        ValueError: it is damaged.
    """
    if (stated := stated_format(raw)) > FORMAT:
        raise NewerFormatError(f"its format {stated} is from a newer llmbatch")
    return raw if is_unsealed(raw) else unseal(raw)


def mended(tail: bytes) -> bytes | None:
    """A file's last line whose newline alone is missing or damaged, with its newline; None where more is."""
    lines = (tail + b"\n", tail[:-1] + b"\n")
    return next((line for line in lines if line.startswith(_ANY_HEAD) and _fits(line)), None)


def _fits(line: bytes) -> bool:
    """Whether a line ends with the checksum of what is before."""
    return line[-_SEAL_BYTES:] == _SEAL % crc32(line[:-_SEAL_BYTES])


class LineCheck:
    """Takes the seals off one file's lines, in their order.

    Lines without a checksum count only at the beginning of a file that an earlier version began.
    """

    def __init__(self, *, from_start: bool, newest: int = FORMAT) -> None:
        """`from_start`: whether the first line to come is the file's first; `newest`: as for `unseal`."""
        self._may_be_unsealed = from_start
        self._newest = newest

    def record(self, line: bytes) -> bytes:
        """The next line's record.

        Raises:
            ValueError: the line is damaged, or of a newer format.
        """
        try:
            record = unseal(line, self._newest)
        except ValueError:
            if self._may_be_unsealed and is_unsealed(line):
                return line
            raise
        self._may_be_unsealed = False
        return record
