"""The files that clients upload and batches write, for `/v1/files`. They are kept in memory."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from itertools import count
from typing import Any

from llmbatch.simulate.reply import RefusedError, error_reply, reject

_LARGEST_PAGE = 10_000
_KEPT_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file."""

    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int
    expires_at: int

    def as_json(self) -> dict[str, Any]:
        """OpenAI's file object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form."""

    filename: str
    content: bytes

    @property
    def text(self) -> str:
        """Its value, if it is not a file."""
        return self.content.decode("utf-8", "replace")


def read_form(content_type: str, raw: bytes) -> dict[str, FormField]:
    """The fields of a `multipart/form-data` body by name; empty if it is something else."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary()
    if boundary is None:
        return {}
    fields: dict[str, FormField] = {}
    for part in raw.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        headers = message_from_bytes(head.lstrip())
        name = headers.get_param("name", header="Content-Disposition")
        fields[str(name)] = FormField(headers.get_filename("file"), content.removesuffix(b"\r\n"))
    return fields


class FileStore:
    """Stores files by id."""

    def __init__(self, instance: str) -> None:
        """`instance`: makes ids different for each start."""
        self._instance = instance
        self._numbers = count(1)
        self._files: dict[str, StoredFile] = {}

    def add(self, filename: str, purpose: str, content: bytes, *, kept_s: int = _KEPT_S) -> StoredFile:
        """Store a file that states that it is kept for `kept_s` seconds."""
        now = int(time.time())
        id_ = f"file-{self._instance}{next(self._numbers):08x}"
        file = StoredFile(id_, filename, purpose, content, now, now + kept_s)
        self._files[file.id] = file
        return file

    def get(self, id_: str) -> StoredFile:
        """A file.

        Raises:
            RefusedError: with 404.
        """
        if id_ not in self._files:
            raise RefusedError(error_reply(404, f"No such File object: {id_}", param="id"))
        return self._files[id_]

    def remove(self, id_: str) -> dict[str, Any]:
        """Delete a file. Returns OpenAI's response.

        Raises:
            RefusedError: with 404.
        """
        del self._files[self.get(id_).id]
        return {"id": id_, "object": "file", "deleted": True}

    def listed(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of files, the newest first."""
        purpose, ascending = query.get("purpose"), query.get("order") == "asc"
        files = [file.as_json() for file in self._files.values() if purpose in (None, file.purpose)]
        return page(files if ascending else files[::-1], query, most=_LARGEST_PAGE, default=_LARGEST_PAGE)


def page(items: list[dict[str, Any]], query: Mapping[str, str], *, most: int, default: int) -> dict[str, Any]:
    """The items after `after`, `limit` of them, in the form of OpenAI's lists.

    Raises:
        RefusedError: with 400, if the limit is invalid.
    """
    limit = query.get("limit", str(default))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= most:
        reject(f"Invalid 'limit': expected an integer from 1 to {most}.", "limit", "invalid_value")
    ids = [item["id"] for item in items]
    start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
    data = items[start : start + int(limit)]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + len(data) < len(items),
    }
