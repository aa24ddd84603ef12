"""The public names are those that the documentation lists, each importable from the package."""

import re
from pathlib import Path

import llmbatch


def test_the_public_names_are_the_documented_ones() -> None:
    (page,) = (Path(__file__).parents[2] / "docs").rglob("python.md")
    table = page.read_text().partition("## Names")[2].partition("\n\nEvery")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert documented | {"__version__"} == set(llmbatch.__all__)
    assert all(getattr(llmbatch, name) is not None for name in llmbatch.__all__)
