"""Finding and reading task files."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.task.load import load_task, parse_task

YES_NO = """
name = "answers"
[[labels]]
name = "yes"
[[labels]]
name = "no"
"""

Write = Callable[[str | bytes], Path]


def test_labels_named_yes_and_no_stay_text(task_file: Write) -> None:
    assert load_task(task_file(YES_NO)).task.label_space.parts == ("yes", "no")


def test_the_version_is_the_hash_of_the_files_bytes(task_file: Write) -> None:
    path = task_file(YES_NO)

    assert load_task(path).version == hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def test_the_source_is_the_path_as_it_was_given(task_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(task_file(YES_NO).parent)

    assert load_task("mine.toml").source == "mine.toml"
    assert load_task(Path("mine.toml")).source == "mine.toml"


def test_a_file_wins_over_the_packaged_task_of_its_name(task_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = task_file(YES_NO)
    monkeypatch.chdir(path.parent)
    path.rename("ag_news")

    assert load_task("ag_news").task.name == "answers"


def test_a_folder_does_not_hide_the_packaged_task_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ag_news").mkdir()

    assert load_task("ag_news").task.name == "ag_news"


def test_windows_line_endings_are_accepted(task_file: Write) -> None:
    assert load_task(task_file(YES_NO.replace("\n", "\r\n"))).task.name == "answers"


def test_a_missing_file_is_reported_with_the_packaged_tasks() -> None:
    with pytest.raises(UsageError) as caught:
        load_task("prompts/contracts.toml")

    assert caught.value.message == "no task file prompts/contracts.toml"
    assert caught.value.hint == (
        "Packaged tasks: ag_news, banking77, clinc150, default, go_emotions, sib200. "
        "To start your own: llmbatch prompt init"
    )


@pytest.mark.parametrize("name", ["agnews", "ag_news.toml", "ag-news"])
def test_a_likely_name_is_suggested(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_task(name)

    assert str(caught.value.hint).startswith("Did you mean the packaged task ag_news? ")


def test_a_name_cannot_leave_the_folder_of_packaged_tasks() -> None:
    with pytest.raises(UsageError, match="no task file"):
        load_task("../prompts/no-such-task")


def test_a_folder_is_not_a_task_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, not a task file"):
        load_task(tmp_path)


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_task("a\0b.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_reported(task_file: Write) -> None:
    path = task_file(YES_NO)
    path.chmod(0)

    with pytest.raises(UsageError, match=r"cannot be read: .*Permission denied"):
        load_task(path)


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8-sig", "UTF-8 with a byte order mark"), ("utf-16", "UTF-16")])
def test_a_byte_order_mark_is_reported(task_file: Write, encoding: str, shown: str) -> None:
    with pytest.raises(UsageError, match=rf"mine\.toml is {shown}; TOML must be plain UTF-8") as caught:
        load_task(task_file(YES_NO.encode(encoding)))

    assert caught.value.hint == "Save it as UTF-8 without BOM."


def test_a_byte_that_is_not_utf8_is_reported_with_its_line(task_file: Write) -> None:
    with pytest.raises(UsageError, match=r"mine\.toml:2: not UTF-8 \(byte 0xe9\)"):
        load_task(task_file(b'name = "x"\n# caf\xe9\n'))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("name = no\n", "t.toml:1: not valid TOML: Invalid value, at column 8"),
        ('a = 1\n\nname "x"\n', "t.toml:3: not valid TOML: Expected '=' after a key in a key/value pair, at column 6"),
        ('name = """', "t.toml: not valid TOML: Unterminated string at the end of the file"),
        ("a = " + "[" * 100_000, "t.toml: not valid TOML: nested too deeply"),
    ],
)
def test_a_syntax_error_is_reported_with_its_position(text: str, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_task(text, "t.toml")

    assert caught.value.message == shown


def test_a_very_long_number_is_reported() -> None:
    with pytest.raises(UsageError, match=r"t\.toml: not valid TOML: Exceeds the limit"):
        parse_task(f"a = {'9' * 5000}", "t.toml")


@given(st.text())
def test_any_text_is_a_task_or_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:  # no short random text is a valid task
        parse_task(text, "t.toml")

    assert caught.value.message.startswith("t.toml")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("field", ["temperature", "max_output_tokens", "review_below"])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1", "1e400", "9" * 23, "true"])
def test_a_number_out_of_bounds_is_refused(task_file: Write, field: str, number: str) -> None:
    with pytest.raises(UsageError, match=field):
        load_task(task_file(f"{YES_NO}[model]\n{field} = {number}\n"))
