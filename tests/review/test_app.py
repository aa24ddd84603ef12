"""The application's screen and keys, run without a terminal; tests/e2e has the real program in one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from llmbatch.review.app.dialogs import matching
from llmbatch.review.app.keys import LABEL_KEYS, label_keys
from llmbatch.review.app.readable import readable
from llmbatch.task.fields import Label
from llmbatch.task.load import load_task
from tests.e2e.program import read_rows
from tests.review.conftest import make_run
from tests.review.driving import drive


def decided(run: Path) -> list[tuple[str | None, str | None]]:
    return [(line["category"], line["note"]) for line in read_rows(run / "decisions.jsonl")]


def test_a_session_by_keys(run: Path) -> None:
    async def steps(pilot: Pilot[None], read: Callable[[str], str]) -> None:
        assert "0 of 5" in read("progress")
        assert "2 rows with this text" in read("why")
        await pilot.press("enter")  # the model's answer
        await pilot.press("3")  # the third label
        assert "2 of 5" in read("progress")
        await pilot.press("u")
        assert "1 of 5" in read("progress")
        assert "مرحبا" in read("document")
        await pilot.press("n", *"why", "enter")
        assert "why" in read("answer")
        await pilot.press("slash", *"mark", "enter")
        await pilot.press("s")
        assert "1 skipped" in read("progress")
        await pilot.press("f", *"1+1", "enter")
        assert "=1+1 happened" in read("document")
        await pilot.press("question_mark", "3", "escape")
        assert "2 of 5" in read("progress"), "keys do nothing to the row while the help is open"
        await pilot.press("5")
        assert "the model refused" in read("answer")
        await pilot.press("enter")
        assert "give it one" in read("said")
        await pilot.press("2")
        assert "4 of 5 decided, 3 corrected" in read("document")
        await pilot.press("s", "1")
        assert "No rows left to decide." in read("document")
        await pilot.press("left", "ctrl+t", "q")

    drive(run, steps)
    assert decided(run) == [
        ("technical", None),
        ("legal", None),
        (None, None),
        (None, "why"),
        ("marketing", "why"),
        ("other", None),
        ("business", None),
        ("technical", None),
    ]


def test_of_many_labels_the_likeliest_get_digit_keys(run: Path) -> None:
    labels = [Label(name=f"card_{n}", description=f"word{n}") for n in range(60)]
    labels += [Label(name="greeting", description="hello world, hm"), Label(name="technical")]

    async def steps(pilot: Pilot[None], read: Callable[[str], str]) -> None:
        assert "Hm." in read("document")
        assert all(f"{key} {name}" in read("labels") for key, name in ((1, "technical"), (2, "greeting"), (9, "card_")))
        assert "/ to pick from all 66 labels" in read("labels")
        await pilot.press("2")

    drive(run, steps, size=(80, 24), more=labels)
    assert decided(run) == [("greeting", None)]


@pytest.mark.parametrize(("size", "below"), [((80, 24), 12), ((120, 50), 4)])
def test_on_a_large_screen_the_labels_are_right_below_the_text(run: Path, size: tuple[int, int], below: int) -> None:
    async def steps(pilot: Pilot[None], _: Callable[[str], str]) -> None:
        await pilot.pause()
        screen = pilot.app.screen
        text, asked, keys = (screen.query_one(f"#{name}").region for name in ("document", "asked", "keys"))
        assert 0 <= asked.y - text.bottom <= below
        assert keys.bottom == size[1]
        assert asked.bottom <= keys.y

    drive(run, steps, size=size)


def test_a_long_text_leaves_the_labels_on_the_screen(tmp_path: Path) -> None:
    text = "A court. " * 2_000
    run = make_run(tmp_path, load_task(None), [({"id": "a", "text": text}, "legal", 0.2)])

    async def steps(pilot: Pilot[None], _: Callable[[str], str]) -> None:
        await pilot.pause()
        asked, keys = (pilot.app.screen.query_one(f"#{name}").region for name in ("asked", "keys"))
        assert (asked.bottom <= keys.y, keys.bottom) == (True, 50)

    drive(run, steps, size=(120, 50))


def test_many_labels_are_picked_by_name_and_a_full_disk_is_reported(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = load_task("banking77").task.labels

    async def steps(pilot: Pilot[None], read: Callable[[str], str]) -> None:
        assert f"from all {77 + 5} labels" in read("labels")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            await pilot.press("enter")
        assert "Not saved" in read("said")
        assert "0 of 5" in read("progress")

    drive(run, steps, size=(120, 40), more=many)
    assert decided(run) == []


def test_a_value_of_several_fields_is_entered_by_keys(run_of_fields: Path) -> None:
    async def steps(pilot: Pilot[None], read: Callable[[str], str]) -> None:
        assert "topic=billing 0.30, tags=angry 0.40" in read("answer")
        assert "5 tags=(none)" in read("labels")
        await pilot.press("2", "4")  # topic=technical, and adds tags=legal
        assert "yours  topic=technical; tags=angry|legal; severity=3; urgent=yes" in read("answer")
        assert "0 of 3" in read("progress"), "nothing is decided before enter"
        await pilot.press("3", "enter")  # no longer angry
        await pilot.press("enter")  # the model's answer
        assert "the model refused" in read("answer")
        await pilot.press("enter")
        assert "give it one" in read("said")
        await pilot.press("1", "5", "enter")
        assert "No value yet: severity, urgent." in read("said")
        await pilot.press("equals_sign", *"x", "enter")
        assert "is not a valid value for this task" in read("said")
        await pilot.press("slash", *"=no", "enter")
        await pilot.press("7", "enter")
        assert "3 of 3 decided, 2 corrected" in read("document")
        await pilot.press("u", "equals_sign")
        pilot.app.screen.query_one(Input).value = "severity=1;urgent=YES;topic=billing;tags=legal|angry"
        await pilot.press("enter")

    drive(run_of_fields, steps, size=(100, 40))
    assert [category for category, _ in decided(run_of_fields)] == [
        "topic=technical; tags=legal; severity=3; urgent=yes",
        "topic=technical; tags=(none); severity=2; urgent=no",
        "topic=billing; tags=(none); severity=2; urgent=no",
        None,
        "topic=billing; tags=angry|legal; severity=1; urgent=yes",
    ]


def test_labels_in_groups_are_reached_group_by_group(run_of_tree: Path) -> None:
    async def steps(pilot: Pilot[None], read: Callable[[str], str]) -> None:
        assert read("labels").split() == ["1", "g1", "2", "g2", "3", "g3"]
        await pilot.press("3")
        assert "g3/l12" in read("labels")
        assert "backspace to go back" in read("said")
        await pilot.press("backspace", "2", "1")  # the group itself, which is an answer
        assert read("labels").split()[1] == "g1", "the next row starts at the top groups"
        await pilot.press("1", "3")
        await pilot.press("enter")
        assert "3 of 3 decided, 2 corrected" in read("document")

    drive(run_of_tree, steps, size=(100, 40))
    assert [category for category, _ in decided(run_of_tree)] == ["g2", "g1/l3", "g1/l2"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\r\nc\u2028d", "a    b\nc\nd"),
        ("\x1b[2J\x07[red]x[/]", "\ufffd[2J\ufffd[red]x[/]"),
        ("\u202eevil", "\ufffdevil"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"),
    ],
)
def test_a_document_keeps_its_lines_and_no_control_characters(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_labels_are_found_by_any_of_their_words() -> None:
    labels = [
        Label(name="card_arrival", description="has not come"),
        Label(name="lost_card", aliases=("stolen",)),
        Label(name="card_swallowed", description="kept by the machine"),
    ]
    assert [label.name for label in matching(labels, "card")] == ["card_arrival", "card_swallowed", "lost_card"]
    assert [label.name for label in matching(labels, "stol")] == ["lost_card"]
    assert [label.name for label in matching(labels, "card machine")] == ["card_swallowed"]
    assert matching(labels, "zzz") == []


def test_label_keys_do_not_collide_with_commands() -> None:
    labels = [Label(name=f"l{n}") for n in range(len(LABEL_KEYS))]
    assert not set(label_keys(labels)) & set("fnqsu/? ")
    assert label_keys([*labels, Label(name="more")]) == {}
