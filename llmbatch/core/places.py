"""The user's own folders, for what outlives a run. Some users have none: no `HOME`, and no entry as a user."""

from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

_NOWHERE = Path("~/llmbatch")
"""As text it says where it would be; `llmbatch.core.files` opens nothing there."""


def state_folder() -> Path:
    """For what cannot be had again, on Linux `~/.local/state/llmbatch`. Not absolute where the user has no home."""
    return _own(user_state_path)


def cache_folder() -> Path:
    """For what is rebuilt when it is gone, on Linux `~/.cache/llmbatch`. Not absolute where the user has no home."""
    return _own(user_cache_path)


def _own(find: Callable[[str], Path]) -> Path:
    try:
        return find("llmbatch")
    except RuntimeError:  # what platformdirs raises then
        return _NOWHERE
