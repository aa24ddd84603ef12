"""An endpoint's files and batches, at OpenAI, Azure and compatible servers, through the SDK.

Calls that are safe to repeat are retried: retrieving, listing, uploading, downloading. Creating a batch is not: if it
is unknown whether one was created, the caller looks for it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import orjson

from llmbatch.core.usage import Usage
from llmbatch.provider.client import Endpoint, open_client
from llmbatch.provider.dates import date_s
from llmbatch.provider.failures import Action, Billed, Failure, RequestFailedError
from llmbatch.provider.retry import Attempts, RetryPolicy, retrying
from llmbatch.provider.transport import judge_exception

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

FINAL = frozenset({"failed", "completed", "expired", "cancelled"})
"""Final statuses."""
_OTHER_WORDS = {
    "canceled": "cancelled",
    "canceling": "cancelling",
    "success": "completed",
    "succeeded": "completed",
    "complete": "completed",
    "error": "failed",
    "timeout": "expired",
    "timeout_exceeded": "expired",
}
"""Other names for statuses at otherwise compatible endpoints; some use upper case (SAP, Together)."""
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NO_SUCH_CALL = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_TIMEOUT_S = 600.0
"""Time limit for one call: a file may have 200 MB."""
_PAGE = 100
_MOST_PAGES = 100
_BLOCK = 1 << 20
_CUT_SHORT = "cut_short"


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why a batch failed as a whole."""

    code: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the endpoint shows it. Missing values are None."""

    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int | None = None
    """Unix time."""
    expires_at: int | None = None
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    errors: tuple[BatchError, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage | None = None

    @property
    def is_final(self) -> bool:
        """Whether it has reached a final status."""
        return self.status in FINAL


class NoSuchCallError(Exception):
    """The endpoint does not offer a call, such as listing."""


class BatchApi:
    """Calls to one endpoint. All raise RequestFailedError with a classified failure, after retries where these help."""

    def __init__(
        self,
        endpoint: Endpoint,
        policy: RetryPolicy,
        *,
        sleep: Callable[[float], Awaitable[None]],
        on_repeat: Callable[[Failure, float], None],
        random: Random,
    ) -> None:
        """Nothing is opened yet.

        Args:
            endpoint: the endpoint.
            policy: how often and how long to retry.
            sleep: waits; raises if the run stops.
            on_repeat: called with each failure that is retried, and after how many seconds.
            random: the source of jitter.
        """
        self._endpoint = endpoint
        self._policy = policy
        self._sleep = sleep
        self._on_repeat = on_repeat
        self._random = random
        self._client: AsyncOpenAI | None = None

    @property
    def line_url(self) -> str:
        """The URL in each line of a request file and in a batch; Azure's deployments use a different one."""
        return "/chat/completions" if self._endpoint.api_version is not None else "/v1/chat/completions"

    async def upload(self, file: BinaryIO, name: str) -> str:
        """Upload a request file and return its id. Uploading twice costs nothing."""

        async def send() -> str:
            file.seek(0)
            answer = await self._files.with_raw_response.create(file=(name, file), purpose="batch")
            return _text(_object(answer.content), "id")

        return await self._repeated(send)

    async def find_file(self, name: str) -> str | None:
        """The id of the newest request file with this name, if the endpoint lists it."""
        after: dict[str, Any] = {}
        for _ in range(_MOST_PAGES):

            async def look(after: dict[str, Any] = after) -> dict[str, Any]:
                answer = await self._files.with_raw_response.list(purpose="batch", limit=_PAGE, order="desc", **after)
                return _object(answer.content)

            try:
                page = await self._repeated(look)
            except RequestFailedError as error:
                if error.failure.status in _NO_SUCH_CALL:
                    return None
                raise
            files = _objects(page)
            found = next((file["id"] for file in files if file.get("filename") == name), None)
            if found is not None or not _has_more(page, files):
                return None if found is None else str(found)
            after = {"after": files[-1]["id"]}
        return None

    async def create(self, file_id: str, *, window: str, metadata: Mapping[str, str]) -> RemoteBatch:
        """Create a batch, without retries. `failure.billed` is UNKNOWN if it may have been created all the same."""
        client: Any = self._open().batches.with_raw_response
        try:
            answer = await client.create(
                input_file_id=file_id, endpoint=self.line_url, completion_window=window, metadata=dict(metadata)
            )
        except Exception as error:  # noqa: BLE001 - classified whatever it is
            raise RequestFailedError(_unless_refused(self._judged(error))) from None
        return _read_batch(_object(answer.content))

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Retrieve a batch's current state."""

        async def look() -> RemoteBatch:
            answer = await self._open().batches.with_raw_response.retrieve(batch_id)
            return _read_batch(_object(answer.content))

        return await self._repeated(look)

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Cancel a batch. Requests answered by then are charged."""

        async def ask() -> RemoteBatch:
            answer = await self._open().batches.with_raw_response.cancel(batch_id)
            return _read_batch(_object(answer.content))

        return await self._repeated(ask)

    async def made_since(self, created_at: float) -> list[RemoteBatch]:
        """The batches created since a Unix time, and those without a creation time.

        Raises:
            NoSuchCallError: the endpoint cannot list batches.
        """
        after: dict[str, Any] = {}
        found: list[RemoteBatch] = []
        for _ in range(_MOST_PAGES):

            async def look(after: dict[str, Any] = after) -> dict[str, Any]:
                answer = await self._open().batches.with_raw_response.list(limit=_PAGE, **after)
                return _object(answer.content)

            try:
                page = await self._repeated(look)
            except RequestFailedError as error:
                if error.failure.status in _NO_SUCH_CALL:
                    raise NoSuchCallError from None
                raise
            objects = _objects(page)
            batches = [_read_batch(batch) for batch in objects]
            found += [one for one in batches if one.created_at is None or one.created_at >= created_at]
            if not _has_more(page, objects) or _are_older(batches, created_at):
                break
            after = {"after": batches[-1].id}
        return found

    async def download(self, file_id: str, file: BinaryIO) -> None:
        """Download a file. If it ends mid-line, as if truncated by a proxy, it is fetched once more, then accepted."""
        tail = b""

        async def fetch() -> None:
            nonlocal tail
            file.seek(0)
            file.truncate()
            async with self._files.with_streaming_response.content(file_id) as answer:
                async for block in answer.iter_bytes(_BLOCK):
                    file.write(block)
                    tail = (tail + block)[-_BLOCK:]
            if not _ends_whole(tail):
                raise _CutShortError(f"{file_id} ends mid-line, after {file.tell():,} bytes")

        try:
            await self._repeated(fetch)
        except RequestFailedError as error:
            if error.failure.kind != _CUT_SHORT:
                raise

    async def delete_file(self, file_id: str) -> None:
        """Delete a file there."""
        try:
            await self._files.with_raw_response.delete(file_id)
        except Exception as error:  # noqa: BLE001
            raise RequestFailedError(self._judged(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    @property
    def _files(self) -> Any:
        return self._open().files

    def _open(self) -> "AsyncOpenAI":
        if self._client is None:
            self._client = open_client(self._endpoint, _TIMEOUT_S, connections=4, bounded=False)
        return self._client

    async def _repeated(self, call: Callable[[], Awaitable[T]]) -> T:
        async def attempt(attempts: Attempts) -> T:
            try:
                return await call()
            except Exception as error:  # noqa: BLE001
                failure = self._judged(error)
                attempts.note(failure)
                raise RequestFailedError(failure) from None

        loop = retrying(self._policy, sleep=self._sleep, before_sleep=self._on_repeat, random=self._random)
        result: T = await loop(attempt, Attempts())
        return result

    def _judged(self, error: Exception) -> Failure:
        from openai import APIStatusError  # noqa: PLC0415 - loaded by then

        if isinstance(error, APIStatusError):
            answer = error.response
            return self._endpoint.dialect.judge(answer.status_code, answer.headers, answer.content)
        if isinstance(error, _CutShortError):
            return Failure(_CUT_SHORT, Action.RETRY, str(error))
        if isinstance(error, _NotAnObjectError):
            return Failure("not_json", Action.RETRY, str(error), Billed.UNKNOWN)
        return judge_exception(error)


class _NotAnObjectError(ValueError):
    """A response that is not a JSON object, or not the requested one."""


class _CutShortError(ValueError):
    """A file was truncated."""


def _ends_whole(tail: bytes) -> bool:
    """Whether a file of JSON lines ends with a newline or a complete line."""
    last = tail.rpartition(b"\n")[2].strip()
    try:
        return not last or orjson.loads(last) is not None
    except orjson.JSONDecodeError:
        return False


def _unless_refused(failure: Failure) -> Failure:
    """The failure of a create call: only a refusal or a failed connection means that no batch was created."""
    is_refused = (
        failure.status is not None
        and failure.status < HTTPStatus.INTERNAL_SERVER_ERROR
        and failure.status not in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT)  # may come from a proxy
    )
    was_not_sent = failure.status is None and failure.billed is Billed.NO
    return replace(failure, billed=Billed.NO if is_refused or was_not_sent else Billed.UNKNOWN)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise _NotAnObjectError("the response is not a JSON object")
    return data


def _objects(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = page.get("data")
    return [one for one in data if isinstance(one, dict) and "id" in one] if isinstance(data, list) else []


def _has_more(page: Mapping[str, Any], objects: list[dict[str, Any]]) -> bool:
    """Whether another page follows; if the endpoint does not say, assume so after a full page."""
    stated = page.get("has_more")
    return bool(objects) and (stated if isinstance(stated, bool) else len(objects) >= _PAGE)


def _are_older(batches: list[RemoteBatch], created_at: float) -> bool:
    """Whether all further pages are older than this, for endpoints that list the newest first."""
    times = [batch.created_at for batch in batches]
    known = [time for time in times if time is not None]
    goes_back = len(known) == len(times) and len(known) > 1 and known == sorted(known, reverse=True)
    return goes_back and known[0] > known[-1] and known[-1] < created_at


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise _NotAnObjectError(f"the response has no {name}")
    return value


def _read_batch(data: Mapping[str, Any]) -> RemoteBatch:
    if isinstance(job := data.get("job"), dict):  # Together wraps a new batch
        data = job
    status = _text(data, "status").strip().lower()
    counts, metadata = data.get("request_counts"), data.get("metadata")
    counts = counts if isinstance(counts, dict) else {}
    return RemoteBatch(
        id=_text(data, "id"),
        status=_OTHER_WORDS.get(status, status),
        input_file_id=_string(data.get("input_file_id")),
        output_file_id=_string(data.get("output_file_id")),
        error_file_id=_string(data.get("error_file_id")),
        created_at=_time(data.get("created_at")),
        expires_at=_time(data.get("expires_at")),
        total=_count(counts.get("total")),
        completed=_count(counts.get("completed")),
        failed=_count(counts.get("failed")),
        errors=_errors(data.get("errors")),
        metadata=metadata if isinstance(metadata, dict) else {},
        usage=_usage(data.get("usage")),
    )


def _errors(errors: Any) -> tuple[BatchError, ...]:
    data = errors.get("data") if isinstance(errors, dict) else None
    return tuple(
        BatchError(str(one.get("code") or "unknown"), str(one.get("message") or ""), _count(one.get("line")))
        for one in (data if isinstance(data, list) else ())
        if isinstance(one, dict)
    )


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict) or (tokens := _count(usage.get("input_tokens"))) is None:
        return None
    details = usage.get("input_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Usage(tokens, cached or 0, output_tokens=_count(usage.get("output_tokens")) or 0)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _time(value: Any) -> int | None:
    """Parse a Unix time, which some endpoints write as a date."""
    if isinstance(value, str):
        moment = date_s(value)
        return None if moment is None else int(moment)
    return _count(value) or None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
