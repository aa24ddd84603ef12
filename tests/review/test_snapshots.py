"""Screenshots of the review application, each compared with a committed one.

After an intended change, `pytest tests/review/test_snapshots.py -n0 --snapshot-update` updates them. Look at each.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.widgets import Input

from llmbatch.task.load import load_task
from tests.review.conftest import decide
from tests.review.driving import drive

REMOTE_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Picture(SingleFileSnapshotExtension):
    """A snapshot as an SVG file."""

    _write_mode = WriteMode.TEXT
    file_extension = "svg"


@pytest.fixture
def pictures(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Picture)


def picture(run: Path, *keys: str, size: tuple[int, int] = (80, 24), is_light: bool = False, task: str = "") -> str:
    """The screen after these keys."""
    taken: list[str] = []

    async def steps(pilot: Pilot[None], _: Callable[[str], str]) -> None:
        await pilot.press(*keys)
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await pilot.pause()
        taken.append(pilot.app.export_screenshot(title="llmbatch review"))

    drive(run, steps, size=size, is_light=is_light, more=load_task(task).task.labels if task else ())
    return REMOTE_FONTS.sub("", taken[0])


def test_a_row_in_doubt(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run) == pictures


def test_a_decided_row_with_a_note_in_a_light_window(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run, "3", "left", "n", *"why", "enter", is_light=True) == pictures


def test_a_conflict(run: Path, pictures: SnapshotAssertion) -> None:
    decide(run, "ana", a="legal")
    decide(run, "ben", a="business")
    assert picture(run) == pictures


def test_a_failed_row_that_cannot_be_accepted(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run, "1", "1", "1", "1", "enter") == pictures


def test_many_labels_are_picked_by_name(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run, "slash", *"card", size=(100, 30), task="banking77") == pictures


def test_several_fields(run_of_fields: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run_of_fields, "2", "4", size=(100, 40)) == pictures


def test_a_narrow_terminal(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run, size=(40, 16)) == pictures


def test_the_help(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run, "question_mark") == pictures


def test_the_end(run: Path, pictures: SnapshotAssertion) -> None:
    assert picture(run, *"12345") == pictures
