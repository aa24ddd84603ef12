"""The tests that docs/reference/support.md names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_named_test_file_exists() -> None:
    (page,) = (ROOT / "docs").rglob("support.md")
    named = re.findall(r"`(tests/[\w/]+\.py)`", page.read_text())
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []
    surroundings = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "surroundings").glob("test_*.py")}
    assert surroundings <= set(named)
