"""Label Studio's and Argilla's own packages accept the exported files."""

import os
import subprocess
from pathlib import Path

import pytest

from llmbatch.review.annotation import Tool, export_to_tool
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice
from tests.review.test_annotation import tickets

__all__ = ["tickets"]

PYTHON = os.environ.get("LLMBATCH_REAL_ANNOTATION")
pytestmark = pytest.mark.skipif(not PYTHON, reason="make real runs it")


def test_the_packages_accept_the_files(tickets: Path, tmp_path: Path) -> None:
    with opened(tickets) as review:
        export_to_tool(review, Choice(), Tool.label_studio, tmp_path / "tasks.json")
        export_to_tool(review, Choice(), Tool.argilla, tmp_path / "records.json")
    command = [str(PYTHON), str(Path(__file__).with_name("check_annotation_files.py")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "label-studio 3 tasks, 2 predictions",
        "argilla 3 records, 3 questions, 1 fields",
    ]
