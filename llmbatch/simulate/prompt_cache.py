"""Prompt caching as OpenAI documents it: exact prefixes from 1,024 tokens up, in steps of 128, for some minutes.

An entry can be used once the request that wrote it has been answered, not before: of many first requests at the
same time, each pays the full price.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from llmbatch.profiles import AUTOMATIC_CACHING

_STEP_TOKENS = 128
_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a request takes from the cache, and what it will have written once it is answered."""

    key: Hashable
    cached_tokens: int
    write_tokens: int


class PromptCache:
    """Remembers prefixes by key for a while after their last use."""

    def __init__(self, *, ttl_s: float, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._used_at: OrderedDict[Hashable, float] = OrderedDict()

    def look_up(self, key: Hashable, tokens: int) -> CacheUse:
        """How much of a prefix of so many tokens is cached: all of it in whole steps, or nothing."""
        cachable = tokens - tokens % _STEP_TOKENS if tokens >= AUTOMATIC_CACHING.floor_tokens else 0
        if self._is_fresh(key):
            return CacheUse(key, cachable, 0)
        return CacheUse(key, 0, cachable)

    def write(self, use: CacheUse) -> None:
        """The request has been answered: its prefix can be used from now on, and for longer."""
        if not use.cached_tokens and not use.write_tokens:
            return
        self._used_at[use.key] = self._clock()
        self._used_at.move_to_end(use.key)
        while len(self._used_at) > _ENTRIES:
            self._used_at.popitem(last=False)

    def _is_fresh(self, key: Hashable) -> bool:
        used_at = self._used_at.get(key)
        return used_at is not None and self._clock() - used_at <= self._ttl_s
