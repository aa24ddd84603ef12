"""How an input changed: between two sessions, or while one read it."""

from llmbatch.observe.events import InputChanged
from llmbatch.readers import InputIdentity, WholeRead
from llmbatch.readers.identity import gone_and_new


def while_read(size: int | None, first: WholeRead | None, again: WholeRead | None) -> str | None:
    """What happened to an input during a session, or None.

    Args:
        size: bytes that it had when the session began; None if unknown.
        first: as it was read to send its rows; None if it was not read to its end.
        again: as it was read for the views.
    """
    read = first or again
    if read is None:
        return None
    if size is not None and read.identity.size < size:
        return InputChanged.SHRANK
    return None if first is None or again is None else _compared(first.identity, again)


def since_then(before: InputIdentity, now: WholeRead | None) -> str | None:
    """What happened to an input since it was read in an earlier session; growing does not count."""
    change = None if now is None else _compared(before, now)
    return None if change == InputChanged.GREW else change


def _compared(before: InputIdentity, now: WholeRead) -> str | None:
    after = now.identity
    if after.digest == before.digest:
        return None
    if before.files is not None and after.files is not None:
        is_any_gone, is_grown = gone_and_new(before.files, after.files)
        return InputChanged.SHRANK if is_any_gone else InputChanged.GREW if is_grown else InputChanged.CHANGED
    if after.size > before.size and now.at_cut.get(before.size) == before.digest:
        return InputChanged.GREW
    return InputChanged.SHRANK if after.size < before.size and after.began_like(before) else InputChanged.CHANGED
