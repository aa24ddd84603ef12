"""Examples are added to a task file as text."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.task.examples import add_examples
from llmbatch.task.load import load_task
from llmbatch.task.model import Example

TASK = '# mine\nname = "t"\n[[labels]]\nname = "a"\n[[labels]]\nname = "b" # the rest\n[model]\nreview_below = 0.7'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1))
def test_any_text_round_trips(tmp_path: Path, text: str) -> None:
    path = tmp_path / "task.toml"
    path.write_text(TASK)
    add_examples(path, [Example(text=text, label="a"), Example(text="x", label="b")])
    assert [example.text for example in load_task(path).task.examples] == [text, "x"]
    assert path.read_text(encoding="utf-8").startswith(TASK)


def test_a_packaged_task_is_not_changed() -> None:
    with pytest.raises(UsageError, match="banking77 is a packaged task"):
        add_examples(Path("banking77"), [Example(text="x", label="card_arrival")])


def test_an_inline_example_list_is_reported_and_the_file_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(TASK.replace("[[labels]]", 'examples = [{text = "x", label = "a"}]\n[[labels]]', 1))
    before = path.read_bytes()
    with pytest.raises(UsageError, match="cannot add examples at the end"):
        add_examples(path, [Example(text="y", label="a")])
    assert path.read_bytes() == before
