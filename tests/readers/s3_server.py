"""Moto's S3 on loopback: a bucket to write files into and to read from."""

import logging
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from obstore.store import S3Store

_numbers = count()
_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t-s3cr3t", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class S3:
    """A separate bucket, and how to reach it."""

    endpoint: str
    bucket: str

    @property
    def env(self) -> dict[str, str]:
        return {**_KEYS, "AWS_ENDPOINT_URL": self.endpoint}

    def url(self, key: str = "") -> str:
        return f"s3://{self.bucket}/{key}"

    def put(self, key: str, content: bytes, **attributes: str) -> None:
        import obstore  # noqa: PLC0415 - an extra

        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        obstore.put(self._store, key, content, attributes=named)

    def get(self, key: str) -> bytes:
        import obstore  # noqa: PLC0415 - an extra

        return bytes(obstore.get(self._store, key).bytes())

    def keys(self) -> list[str]:
        import obstore  # noqa: PLC0415 - an extra

        return sorted(meta["path"] for chunk in obstore.list(self._store) for meta in chunk)

    def delete(self, key: str) -> None:
        import obstore  # noqa: PLC0415 - an extra

        obstore.delete(self._store, key)

    @cached_property
    def _store(self) -> "S3Store":
        from obstore.store import S3Store  # noqa: PLC0415 - an extra

        config: Any = {name.lower(): value for name, value in self.env.items()}
        return S3Store(self.bucket, config=config, client_options={"allow_http": True})


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    pytest.importorskip("obstore", reason="the extra `cloud` is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(s3_server: str) -> S3:
    bucket = S3(s3_server, f"bucket-{next(_numbers)}")
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{bucket.bucket}", method="PUT")).close()
    return bucket
