"""The accuracy of a run's labels that the latest evaluation of its folder found: its `evaluation.json`."""

import json
from contextlib import suppress
from dataclasses import asdict

from llmbatch.core.checksum import FORMAT, seal, unseal_file
from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_to_read, replacing
from llmbatch.core.jsonlines import dump_line
from llmbatch.observe.listing import RunAccuracy
from llmbatch.runs.folder import RunFolder

_FILE = "evaluation.json"


def save_accuracy(folder: RunFolder, accuracy: RunAccuracy) -> None:
    """Record it in the run folder, with the ledger's current size. If that fails, it is not known later."""
    with suppress(OSError, UsageError):
        noted = {"format": FORMAT, "ledger_bytes": folder.ledger.stat().st_size, "accuracy": asdict(accuracy)}
        with replacing(folder.path / _FILE) as file:
            file.write(seal(dump_line(noted).rstrip(b"\n")))


def known_accuracy(folder: RunFolder) -> RunAccuracy | None:
    """The accuracy that the latest evaluation found; None if there was none, or rows were answered since."""
    try:
        with open_to_read(folder.path / _FILE) as file:
            noted = json.loads(unseal_file(file.read()))
        is_current = noted["ledger_bytes"] == folder.ledger.stat().st_size
        return RunAccuracy(**noted["accuracy"]) if is_current else None
    except (OSError, UsageError, ValueError, TypeError, KeyError):
        return None
