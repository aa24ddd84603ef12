"""Decided rows are added to the task as examples."""

from pathlib import Path

from llmbatch.review.examples import Added, add_decided
from llmbatch.review.opened import opened
from llmbatch.task.load import load_task
from tests.e2e.program import REPOSITORY
from tests.review.conftest import decide


def add(run: Path, most: int = 10, labels: tuple[str, ...] = ()) -> tuple[Path, Added]:
    task = run.parent / "task.toml"
    if not task.exists():
        task.write_text((REPOSITORY / "prompts" / "default.toml").read_text())
    with opened(run) as review:
        return task, add_decided(review, task, labels=labels, most=most)


def test_corrected_rows_come_first_and_labels_alternate(run: Path) -> None:
    decide(run, a="technical", d="legal", f="legal", b="marketing")
    _, added = add(run, most=3)
    assert [(example.text, example.label) for example in added.examples] == [
        ("Hm.", "legal"),
        ("The liability clause is void.", "marketing"),
        ("The server crashed with a stack trace.", "technical"),
    ]
    assert added.corrected == 2
    assert added.left_out == {"already an example, or the same text as one": 1, "above the limit (--max)": 1}


def test_nothing_is_added_twice(run: Path) -> None:
    decide(run, d="legal")
    task, _ = add(run)
    before = task.read_text()
    _, again = add(run)
    assert (again.examples, task.read_text()) == ((), before)


def test_the_file_is_unchanged_above_the_added_examples(run: Path) -> None:
    decide(run, d="legal", f="business")
    task, _ = add(run, labels=("business",))
    original = (REPOSITORY / "prompts" / "default.toml").read_text()
    assert task.read_text().startswith(original)
    assert load_task(task).task.examples[-1].text == "=1+1 happened in town."
