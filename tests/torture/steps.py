"""Makes a program kill itself at a step: before or after a write, sync, rename, removal, request or payment.

Unlike `strike`, it needs no `strace`, and it can count requests.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from llmbatch.provider.http_library import httpx
from llmbatch.spend.store import SpendStore

_OF_FILES = ("write", "fsync", "replace", "rename", "unlink", "ftruncate")
_OF_MONEY = ("begin_session", "hold", "settle", "record")


def die_at(step: int, *calls: str) -> None:
    """Count steps from now on, two for each call, and kill the process at this one, counted from 1.

    Args:
        step: where the process is killed.
        calls: functions of `os` to count; by default, all of the above are.
    """
    numbers = count(1)

    def pass_step() -> None:
        if next(numbers) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in calls or _OF_FILES:
        setattr(os, name, _watched(getattr(os, name), pass_step))
    if calls:
        return
    for name in _OF_MONEY:
        setattr(SpendStore, name, _watched(getattr(SpendStore, name), pass_step))
    send: Callable[..., Awaitable[Any]] = httpx.AsyncClient.send

    async def watched_send(*arguments: Any, **options: Any) -> Any:
        pass_step()
        answer = await send(*arguments, **options)
        pass_step()
        return answer

    httpx.AsyncClient.send = watched_send  # type: ignore[method-assign]


def _watched(call: Callable[..., Any], pass_step: Callable[[], None]) -> Callable[..., Any]:
    def watched(*arguments: Any, **options: Any) -> Any:
        pass_step()
        result = call(*arguments, **options)
        pass_step()
        return result

    return watched
