"""Prompt caching as OpenAI's guide "Prompt caching" describes it, for models of both generations.

Before GPT-5.6, the beginning of a prompt is cached from 1,024 tokens up, in steps of 128, and writing it costs nothing.
From GPT-5.6 on, it is cached exactly up to the breakpoints of a request: those that it marks and, unless it says
`explicit`, one at the end of its last message; cache writes cost more than plain input. Either way an entry can be used
only after the request that wrote it has been answered: if many first requests are sent at the same time, each pays the
full price. An entry lives for a while after its last use. Requests with another `prompt_cache_key` use another cache.
"""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from llmbatch.core.models import PromptCaching
from llmbatch.tokens import token_ids

# OpenAI's cookbook, "How to count tokens with tiktoken": each message is framed, and so is the answer.
MESSAGE_OVERHEAD, ANSWER_OVERHEAD = 4, 3

# Placeholders for the tokens that frame a message; any that cannot occur in text.
_START, _MIDDLE, _END = 200_101, 200_102, 200_103
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_FIRST_ROLE = 200_110
_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a prompt up to which it can be cached."""

    digest: bytes
    """Digest of all tokens before it."""
    tokens: int


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a request reads from the cache, and what it writes once it is answered."""

    cached_tokens: int
    write_tokens: int
    """As the usage reports them: 0 if writing costs nothing."""
    entries: tuple[Hashable, ...]


class PromptDigest:
    """The tokens of a prompt as it grows, and the positions up to which it can be cached."""

    def __init__(self, caching: PromptCaching) -> None:
        self.tokens = 0
        self.marks: list[Mark] = []
        self._caching = caching
        self._hash = hashlib.blake2b(digest_size=12)

    def add(self, role: str, text: str, breakpoints: Iterable[int] = ()) -> None:
        """Append a message. `breakpoints` are positions in its text, in characters, that the request marks."""
        self._append([_START, _FIRST_ROLE + _ROLES.index(role), _MIDDLE])
        begin = 0
        for end in sorted(breakpoints):
            self._append(token_ids(text[begin:end]))
            self.mark()
            begin = end
        self._append([*token_ids(text[begin:]), _END])

    def with_last(self, role: str, text: str, breakpoints: Iterable[int] = ()) -> "PromptDigest":
        """A prompt of these messages and one more."""
        longer = PromptDigest(self._caching)
        longer.tokens, longer.marks, longer._hash = self.tokens, list(self.marks), self._hash.copy()
        longer.add(role, text, breakpoints)
        return longer

    def mark(self) -> None:
        """Mark that the prompt can be cached up to here, if it is long enough."""
        if self.tokens >= self._caching.floor_tokens:
            self.marks.append(Mark(self._hash.digest(), self.tokens))

    def _append(self, ids: Sequence[int]) -> None:
        packed = array("I", ids)
        begin, done = self.tokens, 0
        for border in () if self._caching.breakpoints else self._steps(begin, begin + len(packed)):
            self._hash.update(packed[done : border - begin].tobytes())
            self.tokens, done = border, border - begin
            self.mark()
        self._hash.update(packed[done:].tobytes())
        self.tokens = begin + len(packed)

    def _steps(self, begin: int, end: int) -> range:
        step = self._caching.step_tokens
        return range(max((begin // step + 1) * step, self._caching.floor_tokens), end + 1, step)


class PromptCache:
    """Caches the beginnings of prompts for a while after their last use."""

    def __init__(self, *, ttl_s: float | None, clock: Callable[[], float]) -> None:
        """`ttl_s`: how long an entry lives; None for the time that the model's provider states."""
        self._ttl_s = ttl_s
        self._clock = clock
        self._used_at: OrderedDict[Hashable, float] = OrderedDict()

    def look_up(self, owner: Hashable, marks: Sequence[Mark], caching: PromptCaching) -> CacheUse:
        """The part of a prompt that is already cached.

        Args:
            owner: determines which entries can be used: those of the same model, key and form of answer.
            marks: the positions up to which the prompt can be cached, in ascending order.
            caching: the model's rules.
        """
        ttl_s = caching.ttl_s if self._ttl_s is None else self._ttl_s
        cached = next((m.tokens for m in reversed(marks) if self._is_fresh((owner, m.digest), ttl_s)), 0)
        written = marks[-1].tokens - cached if marks and caching.breakpoints else 0
        return CacheUse(cached, written, tuple((owner, mark.digest) for mark in marks))

    def write(self, use: CacheUse) -> None:
        """Record that the request has been answered: its marks can be used from now on, and live longer."""
        now = self._clock()
        for entry in use.entries:
            self._used_at[entry] = now
            self._used_at.move_to_end(entry)
        while len(self._used_at) > _ENTRIES:
            self._used_at.popitem(last=False)

    def _is_fresh(self, entry: Hashable, ttl_s: float) -> bool:
        used_at = self._used_at.get(entry)
        return used_at is not None and self._clock() - used_at <= ttl_s
