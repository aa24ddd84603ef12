"""A review threshold written into a task file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.task.load import load_task
from llmbatch.task.threshold import write_review_below

LABELS = '[[labels]]\nname = "a"\ndescription = "d"\n\n[[labels]]\nname = "b"\ndescription = "d"\n'
HEAD = 'name = "t"  # ours\n'


@pytest.mark.parametrize(
    ("before", "after", "was"),
    [
        (HEAD + LABELS, HEAD + LABELS + "\n[model]\nreview_below = 0.62\n", None),
        (HEAD + LABELS.rstrip("\n"), HEAD + LABELS.rstrip("\n") + "\n\n[model]\nreview_below = 0.62\n", None),
        (
            f'{HEAD}[model]\nname = "m"\n# review_below = 0.1\nreview_below = 0.5 # why\n\n{LABELS}',
            f'{HEAD}[model]\nname = "m"\n# review_below = 0.1\nreview_below = 0.62 # why\n\n{LABELS}',
            0.5,
        ),
        (f'{HEAD}[model]\nname = "m"\n{LABELS}', f'{HEAD}[model]\nreview_below = 0.62\nname = "m"\n{LABELS}', None),
        (f"{HEAD}{LABELS}[model] # below", f"{HEAD}{LABELS}[model] # below\nreview_below = 0.62", None),
        (f"{HEAD}{LABELS}[ model ]\n  review_below=1\n", f"{HEAD}{LABELS}[ model ]\n  review_below = 0.62\n", 1.0),
    ],
)
def test_one_line_changes(tmp_path: Path, before: str, after: str, was: float | None) -> None:
    path = tmp_path / "t.toml"
    path.write_text(before)
    path.chmod(0o640)
    assert write_review_below(path, 0.62) == was
    assert path.read_text() == after
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "content",
    [
        f'{HEAD}model = {{ name = "m", review_below = 0.5 }}\n{LABELS}',
        f"{HEAD}model.review_below = 0.5\n{LABELS}",
        f'{HEAD}instructions = """\n[model]\nreview_below = 0.5\n"""\n[model]\nreview_below = 0.5\n{LABELS}',
    ],
)
def test_a_task_in_another_layout_is_left_unchanged(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match="cannot be written into its") as caught:
        write_review_below(path, 0.62)
    assert "review_below = 0.62" in (caught.value.hint or "")
    assert path.read_text() == content


def test_a_packaged_task_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="packaged"):
        write_review_below(Path("default"), 0.62)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_any_threshold_is_read_back(tmp_path_factory: pytest.TempPathFactory, first: int, second: int) -> None:
    path = tmp_path_factory.mktemp("task") / "t.toml"
    path.write_text(HEAD + LABELS)
    for threshold in (first / 1000, second / 1000):
        write_review_below(path, threshold)
        assert load_task(path).task.model.review_below == threshold
