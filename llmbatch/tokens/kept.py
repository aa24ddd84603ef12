"""Token counts of texts that recur in every run, such as a prompt: computed once, then stored in the cache folder.

A run counts only its prompt, and the table required would cost it 0.2 s at every start and 80 MB until its end. So the
table is unloaded again, and the counts are stored under a hash of the texts and the table, sealed with a checksum: they
cannot go stale, and a missing or damaged file is recreated. A wrong count would mean a different output limit, and so a
different prompt: every row would be sent and paid for again.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llmbatch.core.checksum import FORMAT, seal, unseal
from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.core.places import cache_folder
from llmbatch.tokens.o200k import TABLE_SHA256, count_tokens, table_given_up


def kept_counts(texts: Sequence[str]) -> list[int]:
    """Number of tokens of each text, as counted by `count_tokens`."""
    asked = json.dumps(texts).encode()
    file = _folder() / hashlib.blake2b(asked, digest_size=16, key=TABLE_SHA256.encode()).hexdigest()
    counts = _read(file)
    if counts is None or len(counts) != len(texts):
        with table_given_up():
            counts = [count_tokens(text) for text in texts]
        _keep(file, counts)
    return counts


def _folder() -> Path:
    return cache_folder() / "token-counts"


def _read(file: Path) -> list[int] | None:
    try:
        counts = json.loads(unseal(file.read_bytes()))["counts"]
    except (OSError, ValueError):
        return None
    return counts if all(type(count) is int for count in counts) else None


def _keep(file: Path, counts: list[int]) -> None:
    if not file.is_absolute():  # a user without a home
        return
    with suppress(OSError, UsageError):  # a folder that cannot be written costs the next run 0.2 s
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(file) as kept:
            kept.write(seal(json.dumps({"format": FORMAT, "counts": counts}, separators=(",", ":")).encode()))
