"""`/v1/files` and `/v1/batches` of the offline endpoint, from a request to the reply."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from itertools import count
from typing import Any

import orjson
from aiohttp import web

from llmbatch.simulate import batch_faults as kinds
from llmbatch.simulate.batches import (
    ENDPOINTS,
    Batch,
    InvalidFileError,
    Line,
    output_order,
    prompt_tokens,
    read_lines,
)
from llmbatch.simulate.chat import Chat, Client, Outcome
from llmbatch.simulate.draw import strikes
from llmbatch.simulate.fault import Fault
from llmbatch.simulate.files import FileStore, page, read_form
from llmbatch.simulate.reply import Delivery, Manner, RefusedError, Reply, error_reply, html_reply, reject
from llmbatch.simulate.settings import SimulatorSettings

_PATH = re.compile(r"(?:/openai)?(?:/v1)?/(files|batches)(?:/([^/]+))?(?:/(content|cancel))?")
_AT_ONCE_S, _LINES_AT_ONCE = 5.0, 50
"""How long a request for a batch may advance it, and after how many lines other tasks get their turn."""
_WINDOW = re.compile(r"\d{1,4}[hd]")
_OF_BATCHES = (
    kinds.VALIDATING,
    kinds.TOKEN_LIMIT,
    kinds.INVALID,
    kinds.EXPIRE,
    kinds.CANCEL,
    kinds.OUTPUT_LATE,
    kinds.OUTPUT_GONE,
    kinds.VANISHED,
    kinds.NO_METADATA,
    kinds.OTHER_WORDS,
    kinds.USAGE_MORE,
)
_LARGEST_PAGE, _PAGE = 100, 20


def is_of_batches(path: str) -> bool:
    """Whether a path belongs to files or batches."""
    return _PATH.fullmatch(path) is not None


class BatchApi:
    """Stores files and batches, and answers requests for them."""

    def __init__(self, settings: SimulatorSettings, chat: Chat, instance: str, *, clock: Callable[[], float]) -> None:
        """Args.

        settings: how the endpoint behaves.
        chat: answers the lines.
        instance: makes ids different for each start.
        clock: seconds.
        """
        self._settings = settings
        self._chat = chat
        self._instance = instance
        self._clock = clock
        self._began = clock()
        self._faults = {fault.kind: fault for fault in reversed(settings.faults)}
        self._calls: Counter[str] = Counter()
        self._lines = 0
        self._numbers = count(1)
        self._files = FileStore(instance)
        self._batches: dict[str, Batch] = {}
        self._going_on = asyncio.Lock()

    async def answer(self, request: web.BaseRequest, client: Client) -> Outcome:
        """Answer a request whose path `is_of_batches`."""
        match = _PATH.fullmatch(request.path)
        assert match is not None  # noqa: S101 - the caller has looked
        try:
            self._chat.check_key(client)
            return await self._answer(request, client, (request.method, match[1], match[2] or "", match[3] or ""))
        except RefusedError as error:
            return Outcome(self._chat.refusal(error.reply))

    async def go_on(self, client: Client) -> None:
        """Advance all batches, including those that nobody requests."""
        for batch in list(self._batches.values()):
            await self._go_on(batch, client)

    async def _answer(self, request: web.BaseRequest, client: Client, asked: tuple[str, str, str, str]) -> Outcome:
        match asked:
            case "POST", "files", "", "":
                return await self._upload(request)
            case "GET", "files", "", "":
                return _json(self._files.listed(request.query))
            case "GET", "files", id_, "":
                return _json(self._files.get(id_).as_json())
            case "GET", "files", id_, "content":
                return self._content(id_)
            case "DELETE", "files", id_, "":
                return _json(self._files.remove(id_))
            case "POST", "batches", "", "":
                return await self._create(request)
            case "GET", "batches", "", "":
                return await self._list(request, client)
            case "GET", "batches", id_, "":
                return await self._retrieve(id_, client)
            case "POST", "batches", id_, "cancel":
                return self._cancel(id_)
        return Outcome(error_reply(405, f"Not allowed to {request.method} on {request.path}."))

    async def _upload(self, request: web.BaseRequest) -> Outcome:
        form = read_form(request.headers.get("Content-Type", ""), await request.read())
        if self._struck(kinds.UPLOAD_ERROR, self._called("upload")):
            return Outcome(html_reply(502, "502 Bad Gateway", "The server returned an invalid response."))
        if (given := form.get("file")) is None:
            reject("'file' is a required property", "file", "missing_required_parameter")
        too_large = self._struck(kinds.TOO_LARGE, self._calls["upload"])
        if too_large is not None and len(given.content) > too_large.parameters["bytes"]:
            return Outcome(html_reply(413, "413 Request Entity Too Large", "nginx"))
        purpose = form["purpose"].text if "purpose" in form else None
        if purpose not in ("batch", "user_data"):
            reject(f"{purpose!r} is not one of the purposes here: 'batch', 'user_data'.", "purpose")
        kept = form["expires_after[seconds]"].text if "expires_after[seconds]" in form else ""
        seconds = int(kept) if kept.isdigit() else 30 * 86_400
        self._chat.stats.files += 1
        file = self._files.add(given.filename, purpose, given.content, kept_s=seconds)
        return _json(file.as_json())

    def _content(self, id_: str) -> Outcome:
        number, file = self._called("download"), self._files.get(id_)
        if self._struck(kinds.CONTENT_ERROR, number):
            return Outcome(html_reply(502, "502 Bad Gateway", "The server returned an invalid response."))
        is_short = self._struck(kinds.CONTENT_SHORT, number) is not None
        content = file.content[: len(file.content) // 2] if is_short else file.content
        reply = Reply(200, content, content_type="application/octet-stream")
        is_cut = self._struck(kinds.CONTENT_CUT, number) is not None
        return Outcome(reply, Delivery(Manner.CUT) if is_cut else Delivery())

    async def _create(self, request: web.BaseRequest) -> Outcome:
        number = self._called("create")
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            reject("We could not parse the JSON body of your request.")
        file_id = body.get("input_file_id") if isinstance(body, dict) else None
        if not isinstance(file_id, str):
            reject("Missing required parameter: 'input_file_id'.", "input_file_id", "missing_required_parameter")
        if body.get("endpoint") not in ENDPOINTS:
            reject(f"Invalid value: {body.get('endpoint')!r}.", "endpoint", "invalid_value")
        window = body.get("completion_window")
        if not isinstance(window, str) or not (
            window == "24h" if self._chat.dialect.strict else _WINDOW.fullmatch(window)
        ):
            reject(f"Invalid value: {window!r}. Supported values are: '24h'.", "completion_window", "invalid_value")
        if self._struck(kinds.FILE_NOT_FOUND, number):
            reject(f"Cannot find a file with id {file_id}.", "input_file_id", "invalid_value")
        batch = self._made(body)
        made = {"job": batch.as_json()} if kinds.OTHER_WORDS in batch.faults else batch.as_json()
        if self._struck(kinds.CREATE_LOST, number):
            return Outcome(_json(made).reply, Delivery(Manner.RESET))
        if self._struck(kinds.CREATE_ERROR, number):
            return Outcome(html_reply(502, "502 Bad Gateway", "The server returned an invalid response."))
        return _json(made)

    def _made(self, body: dict[str, Any]) -> Batch:
        file, number = self._files.get(body["input_file_id"]), next(self._numbers)
        struck = {kind: fault for kind in _OF_BATCHES if (fault := self._struck(kind, number)) is not None}
        batch = Batch(
            id=f"batch_{self._instance}{number:08x}",
            input_file=file,
            endpoint=body["endpoint"],
            completion_window=body["completion_window"],
            metadata=body.get("metadata"),
            entered_s=self._clock(),
            faults=struck,
        )
        batch.reach("created")
        batch.status = "validating"
        self._batches[batch.id] = batch
        self._chat.stats.batches += 1
        return batch

    async def _retrieve(self, id_: str, client: Client) -> Outcome:
        batch = self._batch(id_)
        await self._go_on(batch, client)
        return _json(batch.as_json())

    async def _list(self, request: web.BaseRequest, client: Client) -> Outcome:
        number = self._called("list")
        if self._struck(kinds.NO_LIST, number):
            return Outcome(error_reply(405, "Method Not Allowed"))
        await self.go_on(client)
        batches = [batch.as_json() for batch in self._batches.values() if kinds.VANISHED not in batch.faults]
        if self._struck(kinds.OLDEST_FIRST, number):
            listed = page(batches, request.query, most=_LARGEST_PAGE, default=_PAGE)
            return _json({"data": listed["data"]})
        return _json(page(batches[::-1], request.query, most=_LARGEST_PAGE, default=_PAGE))

    def _cancel(self, id_: str) -> Outcome:
        batch = self._batch(id_)
        if batch.is_final:
            reject(f"Cannot cancel a batch with status '{batch.status}'.")
        batch.reach("cancelling")
        return _json(batch.as_json())

    def _batch(self, id_: str) -> Batch:
        batch = self._batches.get(id_)
        if batch is None or kinds.VANISHED in batch.faults:
            raise RefusedError(error_reply(404, f"No batch found with id '{id_}'."))
        return batch

    async def _go_on(self, batch: Batch, client: Client) -> None:
        """Advance a batch for a short time."""
        async with self._going_on:
            if batch.is_final:
                batch.polls += 1
                return
            if kinds.VALIDATING in batch.faults or self._clock() - batch.entered_s < self._settings.batch_delay_s:
                if batch.status == "cancelling":
                    self._end(batch, "cancelled", "batch_cancelled")
                return
            if batch.status == "validating":
                self._validate(batch)
            if batch.lines:
                await self._work_on(batch, client)

    async def _work_on(self, batch: Batch, client: Client) -> None:
        until = time.monotonic() + _AT_ONCE_S
        most, status, code = _until(batch)
        while batch.asked < most and time.monotonic() < until:
            for line in batch.lines[batch.asked : min(batch.asked + _LINES_AT_ONCE, most)]:
                self._take(batch, line, client)
            await asyncio.sleep(0)
        if batch.asked >= most:
            self._end(batch, status, code)

    def _validate(self, batch: Batch) -> None:
        try:
            content = b"damaged" if kinds.INVALID in batch.faults else batch.input_file.content
            lines = read_lines(content, batch.endpoint)
            self._check_limit(batch, lines)
            batch.lines = lines
        except InvalidFileError as error:
            batch.errors = [error.error]
            batch.reach("failed")
        else:
            batch.reach("in_progress")

    def _check_limit(self, batch: Batch, lines: tuple[Line, ...]) -> None:
        limit, model = self._settings.enqueued_tokens, lines[0].model
        if limit is not None:
            batch.tokens = prompt_tokens(lines)
        open_ = (other for other in self._batches.values() if not other.is_final and other.lines)
        enqueued = batch.tokens + sum(other.tokens for other in open_ if other.lines[0].model == model)
        if kinds.TOKEN_LIMIT in batch.faults or (limit is not None and enqueued > limit):
            limit = limit or 90_000
            message = (
                f"Enqueued token limit reached for {model} in organization org-offline. Limit: {limit:,} enqueued "
                "tokens. Please try again once some in_progress batches have been completed."
            )
            raise InvalidFileError("token_limit_exceeded", message)

    def _take(self, batch: Batch, line: Line, client: Client) -> None:
        """Answer one line."""
        batch.asked += 1
        self._lines += 1
        number = self._lines
        if self._struck(kinds.LINE_LOST, number):
            batch.completed += 1  # answered and billed, but lost
            _add_usage(batch.usage, self._answered(line, client).body)
            return
        if self._struck(kinds.LINE_NULL, number):
            batch.failed += 1
            batch.error_output.append(line.result(None, None))
            return
        reply = self._answered(line, client)
        if self._struck(kinds.LINE_FOREIGN, number):
            batch.output.append(replace(line, custom_id="another-run").result(_response(reply), None))
        times = 2 if self._struck(kinds.LINE_DOUBLE, number) else 1
        result = line.result(_response(reply), None)
        if reply.status == HTTPStatus.OK:
            batch.completed += 1
            _add_usage(batch.usage, reply.body)
            batch.output.extend([result] * times)
        else:
            batch.failed += 1
            batch.error_output.extend([result] * times)

    def _answered(self, line: Line, client: Client) -> Reply:
        chat = self._chat
        number = chat.enter()
        try:
            outcome = chat.answer(line.body, client, number, in_batch=True)
            chat.answered(outcome)
        finally:
            chat.stats.leave()
        chat.stats.batch_lines += 1
        return outcome.reply

    def _end(self, batch: Batch, status: str, code: str | None) -> None:
        if code is not None:
            batch.end(code)
        if batch.output and kinds.OUTPUT_GONE not in batch.faults:
            batch.output_file_id = self._file(batch, "output", batch.output)
        elif batch.output:
            batch.output_file_id = "file-gone"
        if batch.error_output:
            batch.error_file_id = self._file(batch, "error", batch.error_output)
        batch.output, batch.error_output = [], []
        batch.reach(status)

    def _file(self, batch: Batch, which: str, lines: list[bytes]) -> str:
        return self._files.add(f"{batch.id}_{which}.jsonl", "batch_output", output_order(lines)).id

    def _called(self, what: str) -> int:
        self._calls[what] += 1
        return self._calls[what]

    def _struck(self, kind: str, number: int) -> Fault | None:
        fault = self._faults.get(kind)
        elapsed_s = self._clock() - self._began
        if fault is None or not strikes(fault, seed=self._settings.seed, number=number, elapsed_s=elapsed_s):
            return None
        self._chat.stats.faults[kind] += 1
        return fault


def _until(batch: Batch) -> tuple[int, str, str | None]:
    """How many lines of a batch are answered, how it then ends, and the error of the others."""
    if batch.status == "cancelling":
        return batch.asked, "cancelled", "batch_cancelled"
    for kind, status, code in (
        (kinds.EXPIRE, "expired", "batch_expired"),
        (kinds.CANCEL, "cancelled", "batch_cancelled"),
    ):
        if (fault := batch.faults.get(kind)) is not None:
            return int(min(fault.parameters["done"], 1) * len(batch.lines)), status, code
    return len(batch.lines), "completed", None


def _response(reply: Reply) -> dict[str, Any]:
    try:
        body: Any = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        body = reply.body.decode(errors="replace")
    return {"status_code": reply.status, "request_id": "req_offline", "body": body}


def _add_usage(usage: Counter[str], body: bytes) -> None:
    try:
        reported = orjson.loads(body).get("usage") or {}
    except (orjson.JSONDecodeError, AttributeError):
        return
    usage["prompt_tokens"] += reported.get("prompt_tokens", 0)
    usage["cached_tokens"] += (reported.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    usage["completion_tokens"] += reported.get("completion_tokens", 0)


def _json(data: dict[str, Any]) -> Outcome:
    return Outcome(Reply(200, orjson.dumps(data)))
