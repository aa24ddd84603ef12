"""The answer cache in a run: answers are looked up before rows are sent, and stored as they arrive.

The cache is only an optimisation: if the store fails, that is reported once, and the run continues without it.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Collection
from threading import Lock

from llmbatch.cache import AnswerStore, CachedAnswer, StoreUnusableError, default_store
from llmbatch.cache.options import Reuse
from llmbatch.core.ledger_line import CONTROL, FAILED, NONE_FITS, LedgerLine
from llmbatch.observe.events import Event, ReuseUnavailable

_KEY_BYTES = 16
_FLUSH_EVERY_S = 1.0


class AnswerCache:
    """One run's access to a store: by row key, and without raising the store's errors.

    Answers apply only to the endpoint that gave them: a model's name identifies a model only together with the address.
    """

    def __init__(
        self, store: AnswerStore, options: Reuse, *, endpoint: str, run_id: str, emit: Callable[[Event], None]
    ) -> None:
        self._store: AnswerStore | None = store
        self._options = options
        self._endpoint = endpoint.encode()
        self._run_id = run_id
        self._emit = emit
        self._telling = Lock()
        self._new: dict[bytes, CachedAnswer] = {}
        self._used: deque[bytes] = deque()

    def look_up(self, keys: Collection[str]) -> dict[str, CachedAnswer]:
        """Look up earlier runs' answers, by row key. Blocks, so call it in the reader's thread."""
        store, scoped = self._store, {self._scoped(key): key for key in keys}
        if store is None or not scoped:
            return {}
        try:
            found = store.look_up(scoped, max_age_days=self._options.max_age_days)
        except StoreUnusableError as error:
            self._give_up(error)
            return {}
        self._used.extend(found)
        return {scoped[key]: answer for key, answer in found.items()}

    def note(self, line: LedgerLine) -> None:
        """Note a row's outcome; an answer from the run's own model is stored with the next group."""
        is_own = line.arm == CONTROL and line.source != "reused" and NONE_FITS not in line.flags
        if is_own and line.status != FAILED and self._store is not None:
            self._new[self._scoped(line.key)] = _kept(line, self._run_id)

    async def flush(self) -> None:
        """Write new answers, off the event loop."""
        new, self._new = self._new, {}
        used = [self._used.popleft() for _ in range(len(self._used))]
        if self._store is not None and (new or used):
            await asyncio.to_thread(self._write, self._store, new, used)

    async def flush_often(self) -> None:
        """Write new answers about once a second, until cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S)
            await self.flush()

    async def close(self) -> None:
        """Write the rest and close the store."""
        await self.flush()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    def _write(self, store: AnswerStore, new: dict[bytes, CachedAnswer], used: list[bytes]) -> None:
        try:
            store.add(new, used=used, limit_bytes=self._options.limit_bytes)
        except StoreUnusableError as error:
            self._give_up(error)

    def _give_up(self, error: StoreUnusableError) -> None:
        with self._telling:
            store, self._store = self._store, None
        if store is not None:
            store.close()
            self._emit(ReuseUnavailable(str(store.path), str(error)))

    def _scoped(self, key: str) -> bytes:
        return hashlib.blake2b(bytes.fromhex(key) + self._endpoint, digest_size=_KEY_BYTES).digest()


def open_answer_cache(
    options: Reuse, *, endpoint: str, run_id: str, emit: Callable[[Event], None]
) -> AnswerCache | None:
    """Open the store named by the options; emits a warning and returns None if it cannot be used. Blocks.

    Args:
        options: which store, and which of its answers may be used.
        endpoint: the endpoint; only its answers are used.
        run_id: the run under which new answers are stored.
        emit: receives an event if the store fails, now or later.
    """
    path = options.store or default_store()
    try:
        store = AnswerStore(path)
    except StoreUnusableError as error:
        emit(ReuseUnavailable(str(path), str(error)))
        return None
    return AnswerCache(store, options, endpoint=endpoint, run_id=run_id, emit=emit)


def _kept(line: LedgerLine, run_id: str) -> CachedAnswer:
    return CachedAnswer(
        category=line.category or "",
        confidence=line.raw_confidence or 0.0,
        confidence_from=line.confidence_from,
        runner_up=line.runner_up,
        confidences=line.confidences,
        reasoning=line.reasoning,
        parse=line.parse,
        model=line.model,
        response_model=line.response_model,
        request_id=line.request_id,
        run_id=run_id,
        cost_nanousd=line.cost_nanousd,
    )
