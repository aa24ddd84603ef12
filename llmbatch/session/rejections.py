"""Reports rows that cannot be used: the first few of each kind, then how many more there are."""

from collections import Counter
from collections.abc import Callable

from llmbatch.core.rows import Rejection
from llmbatch.observe.events import Event, RowRejected, RowsRejected

_SHOWN = 3


class Rejections:
    """Reports rejected rows as they occur."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._by_kind: Counter[str] = Counter()

    def add(self, rejection: Rejection) -> None:
        """Count a rejected row, and report it if it is among the first."""
        self._by_kind[rejection.kind] += 1
        if self._by_kind[rejection.kind] <= _SHOWN:
            place = rejection.place
            self._emit(RowRejected(place.file, place.line, rejection.kind, rejection.message))

    def end(self) -> None:
        """At the end, report how many were not reported individually."""
        for kind, count in self._by_kind.items():
            if count > _SHOWN:
                self._emit(RowsRejected(kind, count - _SHOWN))
