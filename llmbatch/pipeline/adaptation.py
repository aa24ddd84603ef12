"""The form in which a run's requests are sent: as the model is known to take it, adapted to what is refused."""

from collections.abc import Callable

from llmbatch.events import Event, RequestAdapted
from llmbatch.provider.failures import Failure
from llmbatch.provider.shape import RequestShape, adapted
from llmbatch.redact import Redactor


class Adaptation:
    """The present shape. All rows share it, so that a refused parameter costs one request and not one a row."""

    def __init__(self, initial: RequestShape, *, redact: Redactor, tell: Callable[[Event], None]) -> None:
        self.shape = initial
        self._initial = initial
        self._redact = redact
        self._tell = tell

    def adapt(self, failure: Failure, sent_as: RequestShape | None) -> bool:
        """Take the next known shape after a parameter was refused. False where none is left to try.

        Args:
            failure: what was refused.
            sent_as: the shape that was refused. Where another row has adapted since then, that serves.
        """
        if sent_as != self.shape:
            return True
        shape = adapted(self.shape, failure.parameter or "", failure.message)
        if shape is None or self._goes_in_circles(shape):
            return False
        what = _difference(self.shape, shape)
        self._tell(RequestAdapted(self._redact(failure.message), what))
        self.shape = shape
        return True

    def _goes_in_circles(self, shape: RequestShape) -> bool:
        """A limit parameter refused under both names would go back and forth for ever."""
        return shape.limit_parameter == self._initial.limit_parameter != self.shape.limit_parameter


def _difference(before: RequestShape, after: RequestShape) -> str:
    changed = [
        f"{name}={getattr(after, name)}"
        for name in RequestShape.__slots__
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(changed)
