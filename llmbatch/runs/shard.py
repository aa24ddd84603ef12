"""A shard: the part of a run's rows that one of several processes labels, in a folder of its own."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

from llmbatch.core.errors import UsageError
from llmbatch.core.key_index import short
from llmbatch.core.rows import Rejection, Row

MOST_SHARDS = 10_000
_WRITTEN = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")
_FOLDER = re.compile(r"shard-([1-9][0-9]{0,4})-of-([1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `total` parts, counted from 1.

    Its rows are chosen by a hash of what is asked, not by position: processes agree without coordination, added rows do
    not move others, and a text that occurs twice is sent once, as in a run without shards.
    """

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """A shard as the user writes it: `2/8`.

        Raises:
            UsageError: it is not valid.
        """
        if (written := _WRITTEN.fullmatch(text.strip())) is not None:
            number, total = int(written[1]), int(written[2])
            if 1 <= number <= total <= MOST_SHARDS:
                return cls(number, total)
        raise UsageError(
            f"--shard {text!r} is not a shard like 2/8",
            hint=f"the first of eight processes gets --shard 1/8, the last one --shard 8/8; at most {MOST_SHARDS:,}",
        )

    @classmethod
    def of_folder(cls, name: str) -> "Shard | None":
        """The shard of a folder with this name in a run folder; None if it is not a shard's."""
        found = _FOLDER.fullmatch(name)
        return None if found is None else cls(int(found[1]), int(found[2]))

    @property
    def folder_name(self) -> str:
        """Name of its folder in the run folder."""
        return f"shard-{self.number}-of-{self.total}"

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    def holds(self, key: str) -> bool:
        """Whether the rows with this key are in it."""
        return short(key) % self.total == self.number - 1

    def rows(self, rows: Iterable[Row | Rejection], key: Callable[[str], str]) -> Iterator[Row | Rejection]:
        """The rows that are in it. A row that cannot be read has no key, and is assigned by its bytes.

        Args:
            rows: the whole input.
            key: returns a text's key by the run's plan.
        """
        for row in rows:
            if isinstance(row, Rejection):
                if crc32(row.raw) % self.total == self.number - 1:
                    yield row
            elif self.holds(key(row.text)):
                yield row
