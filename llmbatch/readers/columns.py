"""Distinct names for a table's columns."""

from collections import Counter
from collections.abc import Sequence

from llmbatch.core.errors import UsageError


def distinct_names(found: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Distinct names for columns, and what was done to them.

    Names are trimmed. A second `Comment` is called `Comment_2`, or gets the next free number; the fourth column, if it
    has no name, is `column_4`.
    """
    names: list[str] = []
    taken = Counter(name.strip() for name in found)
    nameless: list[str] = []
    repeated: list[str] = []
    for number, given in enumerate(found, 1):
        name = given.strip()
        if not name:
            name = _free(f"column_{number}", names, taken)
            nameless.append(name)
        elif name in names:
            name = next(new for n in range(2, len(found) + 2) if (new := f"{name}_{n}") not in names and not taken[new])
            repeated.append(name)
        names.append(name)
    remarks = (("columns without a name", nameless), ("columns of the same name", repeated))
    return tuple(names), tuple(f"{words} called {_listed(new)}" for words, new in remarks if new)


def check_distinct(names: Sequence[str], table: str | None = None) -> None:
    """Refuse columns of the same name.

    Args:
        names: of a table's columns.
        table: the table, for the error.

    Raises:
        UsageError: two are equal.
    """
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        place = "" if table is None else f"{table}: "
        raise UsageError(f"{place}columns of the same name: {', '.join(map(repr, repeated))}", hint="rename them")


def _free(name: str, names: list[str], taken: Counter[str]) -> str:
    while name in names or taken[name]:
        name += "_"
    return name


def _listed(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
