"""The shape of a run's requests: as the model is known to accept, then adapted to rejections and cut-offs."""

from collections.abc import Callable
from dataclasses import replace

from llmbatch.core.redact import Redactor
from llmbatch.observe.events import Event, OutputLimitRaised, RequestAdapted
from llmbatch.provider.completion import Completion
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.failures import Failure
from llmbatch.provider.shape import UNBOUNDED_THINKING_ROOM, RequestShape
from llmbatch.task.thinking import NoAnswerError, behind_thinking

_MORE_ROOM = 4
"""Factor on the output limit after an answer was cut off."""
_MOST_ROOM = 8_192
_FIXED_BY_ROOM = 3
"""Number of cut-off answers that were complete with a higher limit before the limit itself is raised."""
_MARGIN = 1.5
_STEP = 16


class RequestFallbacks:
    """The current shape, shared by all rows, so that a rejected parameter costs one request rather than one per row."""

    def __init__(
        self, initial: RequestShape, dialect: Dialect, *, redact: Redactor, emit: Callable[[Event], None]
    ) -> None:
        self.shape = initial
        self._initial = initial
        self._dialect = dialect
        self._redact = redact
        self._emit = emit
        self._accepted: RequestShape | None = None
        self._any_whole = False
        self._room_factor = _MORE_ROOM
        self._fixed: list[int] = []

    def accepted(self, sent_as: RequestShape | None) -> None:
        """A request of this shape was answered."""
        self._accepted = sent_as

    def is_accepted(self, sent_as: RequestShape | None) -> bool:
        """Whether the endpoint has accepted this shape."""
        return sent_as is not None and sent_as == self._accepted

    def adapt(self, failure: Failure, sent_as: RequestShape | None) -> bool:
        """Switch to the next known shape after a parameter was rejected. False if none is left.

        Args:
            failure: the rejection.
            sent_as: the rejected shape. If another row has already adapted it, the current shape is tried.
        """
        if sent_as != self.shape:
            return True
        shape = self._dialect.fallback(self.shape, failure.parameter or "", failure.message)
        if shape is None or self._goes_in_circles(shape):
            return False
        what = _difference(self.shape, shape)
        self._emit(RequestAdapted(self._redact(failure.message), what))
        self.shape = shape
        return True

    def room_after_cut(self, room: int, completion: Completion | None) -> int:
        """The output limit for a row whose answer was cut off, including a reasoning allowance if the model reasons.

        Args:
            room: the previous limit.
            completion: the cut-off answer.
        """
        if room > self.shape.max_output_tokens and not self._any_whole:
            self._room_factor = min(self._room_factor * _MORE_ROOM, max(_MOST_ROOM // self.shape.max_output_tokens, 1))
        more = self.shape.max_output_tokens * self._room_factor
        return max(more, room, self.shape.max_output_tokens + UNBOUNDED_THINKING_ROOM if _thinks(completion) else 0)

    def came_whole(self, room: int, completion: Completion | None) -> None:
        """An answer was complete; after several that needed more than the run's limit, that limit is raised."""
        if room <= self.shape.max_output_tokens:
            self._any_whole = True
            return
        usage = None if completion is None else completion.usage
        self._fixed.append(room if usage is None else usage.output_tokens)
        if len(self._fixed) < _FIXED_BY_ROOM:
            return
        before, needed = self.shape.max_output_tokens, max(self._fixed)
        raised = min(-(-int(needed * _MARGIN) // _STEP) * _STEP, room)
        self._fixed.clear()
        if raised > before:
            self.shape = replace(self.shape, max_output_tokens=raised)
            self._emit(OutputLimitRaised(before, raised, 0 if usage is None else usage.reasoning_tokens))

    def _goes_in_circles(self, shape: RequestShape) -> bool:
        """Whether a limit parameter rejected under both names would alternate forever."""
        return shape.limit_parameter == self._initial.limit_parameter != self.shape.limit_parameter


def _thinks(completion: Completion | None) -> bool:
    """Whether a cut-off answer contained reasoning."""
    if completion is None:
        return False
    if completion.thinking or (completion.usage is not None and completion.usage.reasoning_tokens):
        return True
    try:
        behind_thinking(completion.content or "")
    except NoAnswerError:
        return True
    return False


def _difference(before: RequestShape, after: RequestShape) -> str:
    if before.service_tier != after.service_tier:
        return f"the standard service tier and its price, instead of {before.service_tier}"
    changed = [
        f"{name}={getattr(after, name)}"
        for name in RequestShape.__slots__
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(changed)
