"""The user's folders for data that outlives a run. Some users have none: no `HOME` and no passwd entry."""

from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

_NOWHERE = Path("~/llmbatch")
"""Shown in messages as the place where it would be; `llmbatch.core.files` opens nothing there."""


def state_folder() -> Path:
    """For data that cannot be recreated, on Linux `~/.local/state/llmbatch`. Not absolute if the user has no home."""
    return _own(user_state_path)


def cache_folder() -> Path:
    """For data that is rebuilt when lost, on Linux `~/.cache/llmbatch`. Not absolute if the user has no home."""
    return _own(user_cache_path)


def _own(find: Callable[[str], Path]) -> Path:
    try:
        return find("llmbatch")
    except RuntimeError:  # raised by platformdirs if there is no home
        return _NOWHERE
