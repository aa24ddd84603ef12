"""One byte of one saved file is changed: each command gives the same result, or refuses the file and names it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llmbatch.core.rows import ConfidenceKind
from llmbatch.core.sent import Sent
from llmbatch.runs.calibrations import save_calibration
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.task.calibration import Calibration
from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import CONSTANTS
from tests.e2e.program import Done, Program, documents, write_rows
from tests.thorough import IS_TORTURE

FLIPS = 1_000 if IS_TORTURE else 12
"""The total over all files."""
ROWS = 12
VIEWS = ("results.jsonl", "review.jsonl", "failed.jsonl", "sample.jsonl")
MADE_AT_EACH_RUN = {*VIEWS, ".lock", ".reviewing", ".gitignore"}
"""Never read: outputs are rewritten from the logs, and locks are held by the kernel."""
REFUSED = (2, 8)
VOLATILE = {"session", "next_commands", "trial", "exit_code", "state"}
"""Figures about the command itself, not about saved data."""


@dataclass(frozen=True)
class Kept:
    """A folder with all files that real commands save, and a copy to restore it from."""

    program: Program
    copy: Path
    url: str

    @property
    def folder(self) -> Path:
        return self.program.folder / "kept"

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder)

    def files(self) -> list[Path]:
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and path.stat().st_size)
        return [path for path in found if path.name not in MADE_AT_EACH_RUN]

    def classify(self, docs: str, out: str, *more: str) -> Done:
        options = ("--out", self.folder / out, "--json", "--review-below", "0.6")
        return self.program("classify", docs, "--base-url", self.url, *options, *more)


@pytest.fixture
def kept(tmp_path: Path, endpoint: StartEndpoint) -> Kept:
    folder = tmp_path / "kept"
    program = Program(
        tmp_path,
        {
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "LLMBATCH_SPEND_STORE": str(folder / "spend.sqlite3"),
            "LLMBATCH_REUSE_STORE": str(folder / "answers.sqlite"),
            "LLMBATCH_CALIBRATION": str(folder / "calibration.json"),
            "LLMBATCH_SAMPLE": "50%",
            CONSTANTS: json.dumps({"llmbatch.session.session.WORTHWHILE_BYTES": 1}),
        },
    )
    made = Kept(program, tmp_path / "copy", endpoint("--fault", "refusal@3").url)
    write_rows(tmp_path / "docs.jsonl", documents(ROWS))
    write_rows(tmp_path / "more.jsonl", documents(ROWS + 2))
    folder.mkdir()
    calibration = folder / "calibration.json"
    program.env["LLMBATCH_CALIBRATION"] = "none"
    assert made.classify("docs.jsonl", "run", "--reuse").code == 3
    record = load_record(RunFolder(folder / "run"))
    save_calibration(calibration, _calibration(record.prompt, record.model))
    program.env["LLMBATCH_CALIBRATION"] = str(calibration)
    decided = [{"id": f"d-{n}", "decision": "other" if n % 2 else "legal"} for n in range(0, ROWS, 3)]
    write_rows(tmp_path / "decided.jsonl", decided)
    assert program("review", "import", folder / "run", "decided.jsonl", "--reviewer", "ana").code == 0
    assert made.classify("docs.jsonl", "run").code == 0
    _leave_sends(folder / "run")
    shutil.copytree(folder, made.copy)
    return made


def _calibration(prompt: str, model: str) -> Calibration:
    points = ((0.0, 0.125), (0.5, 0.375), (1.0, 0.875))
    kind = ConfidenceKind.reported
    return Calibration(
        prompt=prompt,
        model=model,
        offline=False,
        confidence=kind,
        method="isotonic",
        points=points,
        rows=99,
        gold="g",
        fitted_at="now",
    )


def _leave_sends(run: Path) -> None:
    """Leave a log of sends as a killed session does."""
    sent = SentLog(run / "sent.log")
    sent.begin((run / "ledger.jsonl").stat().st_size, "2026-11-27T00:00:00Z-0123456789ab")
    for number in range(3):
        sent.record(Sent(f"{number:032x}", 1, 200_000 + number))
    sent.close(settled=False)


@pytest.mark.timeout(7200)
def test_no_flipped_byte_changes_anything_silently(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    files, chance = kept.files(), Random(20261127)
    expected = {ask.__name__: dict(ask(kept)) for ask in _asks(kept)}
    outcomes = {"the same": 0, "refused": 0}
    for number in range(FLIPS):
        kept.restore()
        file = files[number % len(files)]
        _flip(file, chance)
        for ask in _asks(kept, file):
            outcomes[_judged(kept, file, ask, expected[ask.__name__])] += 1
    with capsys.disabled():
        print(f"\n{FLIPS} flips in {len(files)} files: {outcomes}")  # noqa: T201


def _flip(file: Path, chance: Random) -> None:
    raw = bytearray(file.read_bytes())
    used = [place for place, byte in enumerate(raw) if byte] if file.suffix.startswith(".sqlite") else range(len(raw))
    raw[chance.choice(used)] ^= chance.randrange(1, 256)
    file.write_bytes(raw)


Ask = Callable[[Kept], Iterator[tuple[str, Any]]]


def _judged(kept: Kept, file: Path, ask: Ask, expected: dict[str, Any]) -> str:
    where = f"{file.relative_to(kept.folder)}, {ask.__name__}"
    refusal = ""
    try:
        found = dict(ask(kept))
    except RefusedError as refused:
        refusal = refused.done.err
    if refusal:
        assert file.name in refusal, f"{where}: {refusal}"
        return "refused"
    if file.name == "sent.log":
        _check_sends(found, expected, where)
    assert found == expected, where
    return "the same"


def _check_sends(found: dict[str, Any], expected: dict[str, Any], where: str) -> None:
    """Possibly billed requests are never fewer than before; additional ones are reported."""
    if "err" not in found:
        return
    for figure in ("possibly_billed_usd", "possibly_billed_requests"):
        at_least = expected["usage"][figure]
        assert found["usage"][figure] >= at_least or "sent.log is damaged" in found["err"], where
        found["usage"][figure] = at_least
    found["err"] = expected["err"]


class RefusedError(Exception):
    """A command ended with exit code 2 or 8."""

    def __init__(self, done: Done) -> None:
        super().__init__(done.err)
        self.done = done


def _checked(done: Done) -> Done:
    assert "Traceback" not in done.err, done.err
    if done.code in REFUSED:
        raise RefusedError(done)
    assert done.code == 0, done.err
    return done


def _asks(kept: Kept, file: Path | None = None) -> tuple[Ask, ...]:
    every: tuple[Ask, ...] = (_show, _review, _spend, _reuse, _go_on)
    if file is None:
        return every
    if file.name.startswith("spend."):
        return (_spend,)
    if file.name.startswith("answers."):
        return (_reuse,)
    return (_show, _review, _go_on) if file.is_relative_to(kept.folder / "run") else (_go_on,)


def _show(kept: Kept) -> Iterator[tuple[str, Any]]:
    yield from _figures(_checked(kept.program("show", kept.folder / "run", "--json")))


def _review(kept: Kept) -> Iterator[tuple[str, Any]]:
    yield from _checked(kept.program("review", "status", kept.folder / "run", "--json")).json.items()


def _spend(kept: Kept) -> Iterator[tuple[str, Any]]:
    for by in ("day", "model", "run", "prompt"):
        yield by, _checked(kept.program("spend", "--by", by, "--json")).json


def _reuse(kept: Kept) -> Iterator[tuple[str, Any]]:
    _checked(kept.classify("more.jsonl", "again", "--reuse"))
    yield "results", _views(kept.folder / "again")


def _go_on(kept: Kept) -> Iterator[tuple[str, Any]]:
    done = _checked(kept.classify("docs.jsonl", "run"))
    yield from _figures(done)
    yield "views", _views(kept.folder / "run")
    yield "err", "sent.log is damaged" if "sent.log is damaged" in done.err else ""


def _figures(done: Done) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in done.json.items() if name not in VOLATILE)


def _views(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in VIEWS}
