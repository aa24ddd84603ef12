"""Rows that need no work are counted in passing and do not block the loop."""

from collections.abc import Iterator

from llmbatch.core.rows import Place, Rejection, Row
from llmbatch.engine.intake import Document, Intake, Item, Skipped
from tests.engine.simulated import PLAN

BAD = Rejection(0, Place("in", 1), "bad_json", "is not JSON", b"{")


def rows(texts: list[str]) -> Iterator[Row]:
    return (Row(n, n, text, Place("in", n + 1), {}) for n, text in enumerate(texts))


def taken(texts: list[str], done: set[str]) -> list[Item]:
    keys = {PLAN.key(text) for text in done}
    return list(Intake(PLAN, PLAN, keys.__contains__).prepared(rows(texts), batch=64))


def test_every_row_is_either_skipped_or_passed_on() -> None:
    done = {f"text {n}" for n in range(2_500)}
    items = taken([*sorted(done), "new", "text 7"], done)
    assert sum(item.count for item in items if isinstance(item, Skipped)) == 2_501
    (new,) = [item for item in items if isinstance(item, Document)]
    assert (new.row.text, new.key) == ("new", PLAN.key("new"))
    assert len(items) == 4, "skipped rows are reported by the thousand, and the rest at the end"


def test_unreadable_rows_are_passed_on_and_never_skipped() -> None:
    assert list(Intake(PLAN, PLAN, lambda _: True).prepared([BAD], batch=64)) == [BAD]
