"""However a call ends early, it ends cleanly with its files written, and the next call works at once."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch import StopHandle, aclassify, classify
from llmbatch.core.errors import Interrupted
from llmbatch.observe.progress import Progress
from tests.api.calling import TEXTS, check_clean_end, is_running, options
from tests.e2e.conftest import StartEndpoint

SLOW = ("--latency", "0.02")


def after(rows: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    """A progress callback that calls `act` once, when `rows` rows are done."""
    acted: list[object] = []

    def check_progress(progress: Progress) -> None:
        if progress.done >= rows and not acted:
            acted.append(act())

    return check_progress


def send(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.usefixtures("as_in_a_script")
@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit), (signal.SIGHUP, SystemExit)],
)
def test_a_signal_stops_the_run_cleanly_and_the_next_call_resumes(
    tmp_path: Path, endpoint: StartEndpoint, number: signal.Signals, raised: type[BaseException]
) -> None:
    server, out = endpoint(*SLOW), tmp_path / "run"
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(number)
    with pytest.raises(raised) as stopped:
        classify(TEXTS[:40], **options(server.url, out), progress=after(3, send(number)))
    done = check_clean_end(out)
    assert 3 <= done < 40
    assert done == server.requests
    if raised is SystemExit:
        assert stopped.value.args == (128 + number,)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(number)) == handlers
    assert len(classify(TEXTS[:40], **options(server.url, out))) == 40
    assert server.requests == 40, "no row is paid for twice"


@pytest.mark.usefixtures("as_in_a_script")
def test_a_second_interrupt_abandons_what_is_in_flight(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, out = endpoint("--fault", "timeout@4"), tmp_path / "run"

    def twice() -> None:
        send(signal.SIGINT)()
        send(signal.SIGINT)()

    with pytest.raises(KeyboardInterrupt):
        classify(TEXTS, **options(server.url, out, timeout=600, grace=600), progress=after(3, twice))
    assert not is_running()


class AlarmError(Exception):
    pass


def test_an_exception_from_another_signal_handler_stops_the_run(tmp_path: Path, endpoint: StartEndpoint) -> None:
    def alarm(*_: object) -> None:
        raise AlarmError

    before = signal.signal(signal.SIGALRM, alarm)
    try:
        with pytest.raises(AlarmError):
            classify(
                TEXTS,
                **options(endpoint(*SLOW).url, tmp_path / "run"),
                progress=after(3, lambda: signal.setitimer(signal.ITIMER_REAL, 0.1)),
            )
    finally:
        signal.signal(signal.SIGALRM, before)
    check_clean_end(tmp_path / "run")


def test_a_callers_own_signal_handler_stays(tmp_path: Path, endpoint: StartEndpoint) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        run = classify(
            TEXTS[:20], **options(endpoint(*SLOW).url, tmp_path / "run"), progress=after(1, send(signal.SIGTERM))
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (len(run), received) == (20, [signal.SIGTERM])


def test_a_handle_stops_the_run_from_another_thread(tmp_path: Path, endpoint: StartEndpoint) -> None:
    handle, out = StopHandle(), tmp_path / "run"
    raised: list[BaseException] = []

    def call() -> None:
        try:
            classify(TEXTS, **options(endpoint(*SLOW).url, out), handle=handle, progress=after(3, stopper.start))
        except Interrupted as error:
            raised.append(error)

    stopper = threading.Thread(target=handle.stop)
    caller = threading.Thread(target=call)
    caller.start()
    caller.join()
    assert [type(error) for error in raised] == [Interrupted]
    assert check_clean_end(out) < len(TEXTS)


class StopAtCheck(StopHandle):
    """Stops at the n-th time that the session checks for a stop."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.stop()
        super().check()


def test_a_run_stopped_at_any_check_loses_nothing(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, out = endpoint(), tmp_path / "run"
    documents, checks = TEXTS[:8], 0
    for checks in range(1, 50):
        handle = StopAtCheck(checks)
        try:
            run = classify(documents, **options(server.url, out), handle=handle)
        except Interrupted:
            continue
        if handle.left > 0:
            break
    assert checks > 10
    assert [result.row for result in run] == list(range(8))
    assert server.requests == 8


def test_with_a_stopped_handle_nothing_is_sent(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, handle = endpoint(), StopHandle()
    handle.stop()
    with pytest.raises(Interrupted):
        classify(TEXTS, **options(server.url, tmp_path / "run"), handle=handle)
    assert server.requests == 0


def test_a_cancelled_task_stops_the_run_cleanly(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, out = endpoint(*SLOW), tmp_path / "run"

    async def cancel() -> None:
        task = asyncio.create_task(
            aclassify(
                TEXTS,
                **options(server.url, out),
                progress=after(3, lambda: task.cancel()),  # noqa: PLW0108 - task is not assigned yet
            )
        )
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert 3 <= check_clean_end(out) < len(TEXTS)


def test_a_timeout_stops_the_run_cleanly(tmp_path: Path, endpoint: StartEndpoint) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60) as limit:
            await aclassify(
                TEXTS,
                **options(endpoint(*SLOW).url, tmp_path / "run"),
                progress=after(3, lambda: limit.reschedule(0)),
            )

    with pytest.raises(TimeoutError):
        asyncio.run(limited())
    check_clean_end(tmp_path / "run")


def test_a_closed_loop_leaves_no_run_behind(tmp_path: Path, endpoint: StartEndpoint) -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(
        aclassify(TEXTS, **options(endpoint(*SLOW).url, tmp_path / "run"), progress=after(3, loop.stop))
    )
    loop.run_forever()
    task._log_destroy_pending = False  # type: ignore[attr-defined] # left pending on purpose
    coroutine = task.get_coro()
    assert coroutine is not None
    coroutine.close()
    loop.close()
    for thread in threading.enumerate():
        if thread.name == "llmbatch-run":
            thread.join()
    assert check_clean_end(tmp_path / "run") < len(TEXTS)


@pytest.mark.usefixtures("as_in_a_script")
def test_ctrl_c_in_a_loop_stops_the_run_cleanly(tmp_path: Path, endpoint: StartEndpoint) -> None:
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(
            aclassify(TEXTS, **options(endpoint(*SLOW).url, tmp_path / "run"), progress=after(3, send(signal.SIGINT)))
        )
    check_clean_end(tmp_path / "run")
