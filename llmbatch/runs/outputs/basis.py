"""What the views of a folder were made from, recorded next to them: if the logs have grown since, they are rebuilt.

It is renamed into place after the views, so it never claims more than they contain.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from llmbatch.core.checksum import FORMAT, seal, unseal_file
from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_to_read

FILE = "views.json"


@dataclass(frozen=True, slots=True)
class Basis:
    """What views were made from."""

    ledger_bytes: int
    decisions_bytes: int
    plan: str
    """Digest of the run's plan, threshold, calibrations and everything else that decides on a row's view."""

    def to_bytes(self) -> bytes:
        """The file's content."""
        return seal(orjson.dumps({"format": FORMAT, **asdict(self)}))


def basis_of_outputs(folder: Path) -> Basis | None:
    """What the views in a folder were made from; None if the file that states it is missing or damaged."""
    try:
        with open_to_read(folder / FILE) as file:
            found = orjson.loads(unseal_file(file.read()))
            del found["format"]
            return Basis(**found)
    except (OSError, ValueError, TypeError, KeyError, UsageError):
        return None


def size_of(path: Path) -> int:
    """Size of a log in bytes; 0 if there is none."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
