"""A shortage on this machine is not an endpoint failure: it is named as such and not counted against a row."""

import asyncio
import errno
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import pytest

from llmbatch.core.errors import ExitCode
from llmbatch.provider.client import Caller, Endpoint
from llmbatch.provider.failures import Action, Billed, RequestFailedError
from llmbatch.provider.transport import judge_exception


def behind_the_sdk(cause: BaseException) -> BaseException:
    error = RuntimeError("Connection error.")
    error.__cause__ = cause
    return error


LACKS = [
    (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
    (OSError(errno.ENFILE, "Too many open files in system"), "fs.file-max"),
    (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "ip_local_port_range"),
    (OSError(errno.ENOBUFS, "No buffer space available"), "--concurrency"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "--concurrency"),
    (MemoryError(), "--concurrency"),
    (RuntimeError("can't start new thread"), "ulimit -u"),
    (aiohttp.ClientOSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
    (ExceptionGroup("all addresses", [OSError(errno.EADDRNOTAVAIL, "x")]), "ip_local_port_range"),
]


@pytest.mark.parametrize(("error", "hint"), LACKS, ids=lambda case: repr(case)[:40])
def test_a_shortage_on_this_machine_is_named_with_a_remedy(error: BaseException, hint: str) -> None:
    for raised in (error, behind_the_sdk(error)):
        failure = judge_exception(raised)
        assert (failure.kind, failure.action, failure.billed) == ("this_machine", Action.THROTTLE, Billed.NO)
        assert failure.exit_code is ExitCode.STORAGE
        assert not failure.may_be_outage
        assert hint in (failure.hint or "")


@pytest.mark.parametrize("error", [ConnectionRefusedError(errno.ECONNREFUSED, "x"), ValueError("x")])
def test_other_errors_are_not_shortages_of_this_machine(error: BaseException) -> None:
    assert not judge_exception(error).is_of_this_machine


@pytest.fixture
def no_files_left() -> Iterator[None]:
    gc.disable()  # otherwise it may close a file of an earlier test and free a descriptor
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        yield
    finally:
        for file in held:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        gc.enable()


@pytest.mark.parametrize("has_looked_up", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "llm.invalid"])
def test_no_file_descriptor_left_for_a_connection_or_a_dns_lookup(
    host: str, request: pytest.FixtureRequest, *, has_looked_up: bool
) -> None:
    async def failed(name: str, *, without_files: bool) -> RequestFailedError:
        endpoint = Endpoint(f"http://{name}:9/v1", "k")
        caller = Caller(endpoint, model="m", timeout_s=10, connections=1, on_headers=lambda _: None)
        caller.open()
        if without_files:
            request.getfixturevalue("no_files_left")
        with pytest.raises(RequestFailedError) as failed:
            await caller.send(b"{}", timeout_s=10)
        await caller.close()
        return failed.value

    async def sent() -> RequestFailedError:
        if has_looked_up:
            await failed("other.invalid", without_files=False)
        return await failed(host, without_files=True)

    assert asyncio.run(sent()).failure.kind == "this_machine"
