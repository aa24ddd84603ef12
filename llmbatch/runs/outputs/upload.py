"""The views of a run in an object store: written to disk first, then uploaded one by one, each atomically."""

import tempfile
from dataclasses import replace
from pathlib import Path

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.readers import BucketFolder
from llmbatch.runs.outputs.counts import OutputCounts
from llmbatch.runs.outputs.make import SAMPLE, write_outputs
from llmbatch.runs.outputs.outcome import RESULTS
from llmbatch.runs.outputs.rows import RunRows


def upload_outputs(destination: BucketFolder, rows: RunRows) -> OutputCounts:
    """Upload the views of a run to an object store, replacing existing ones; results come last.

    Raises:
        UsageError: the store refuses one, or cannot be reached; the error names it and those already uploaded.
        StorageFailed: they cannot be written into the temporary folder.
    """
    options = rows.options
    try:
        folder = tempfile.TemporaryDirectory(prefix="llmbatch-")
    except OSError as error:
        raise StorageFailed(f"cannot create a temporary folder for results ({error.strerror})") from None
    with folder as path:
        counts = write_outputs(Path(path), replace(rows, options=replace(options, plan=None)))
        files = {name: Path(path) / f"{name}.{options.format.suffix}" for name in counts.files}
        addresses: dict[str, str] = {}
        for name in sorted(files, key=lambda name: name == RESULTS):
            try:
                addresses[name] = destination.put(files[name].name, files[name])
            except UsageError as error:
                there = f"; already uploaded: {', '.join(addresses)}" if addresses else ""
                raise UsageError(f"{error.message}{there}", hint=error.hint) from None
        if not options.sample:
            destination.remove(f"{SAMPLE}.{options.format.suffix}")
    return replace(counts, files={name: addresses[name] for name in files})
