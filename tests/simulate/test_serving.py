import asyncio
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.simulate import Simulator, SimulatorSettings, parse_fault, serve
from tests.e2e.program import environment, quick_program
from tests.simulate.endpoint import DOCUMENTS, question


@contextmanager
def serving(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process that serves, and its URL. Its first request hangs."""
    process = subprocess.Popen(
        [*quick_program(), "simulate", "--port", "0", "--fault", "timeout@1", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            if process.poll() is None:
                process.kill()


def post(url: str, timeout: float = 10) -> int:
    request = urllib.request.Request(f"{url}/chat/completions", data=orjson.dumps(question(DOCUMENTS[0])))
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return int(answer.status)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the loop turns until the server has seen it
        await asyncio.sleep(0)


def test_it_serves_until_standard_input_closes_and_leaves_sigint_to_its_parent() -> None:
    with serving("--until-stdin-closes") as (process, url):
        with pytest.raises(TimeoutError):
            post(url, timeout=0.3)
        process.send_signal(signal.SIGINT)
        assert post(url) == 200
        _, err = process.communicate(timeout=10)  # closes its standard input
        assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_even_with_a_hanging_request(number: signal.Signals) -> None:
    with serving() as (process, url):
        with pytest.raises(TimeoutError):
            post(url, timeout=0.3)
        process.send_signal(number)
        assert process.stderr is not None
        assert (process.wait(timeout=10), process.stderr.read()) == (0, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        serve(SimulatorSettings(), host, 0, announce=print, until_stdin_closes=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost"])
def test_every_loopback_address_is_served(host: str) -> None:
    async def scenario() -> str:
        simulator = Simulator()
        url = await simulator.start(host)
        await simulator.stop()
        return url

    assert asyncio.run(scenario()).startswith("http://127." if host != "localhost" else "http://")


def test_a_port_that_is_in_use_is_reported() -> None:
    async def scenario() -> None:
        first, second = Simulator(), Simulator()
        url = await first.start()
        port = int(url.removesuffix("/v1").rsplit(":", 1)[1])
        with pytest.raises(UsageError, match=f"port {port}"):
            await second.start(port=port)
        await first.stop()

    asyncio.run(scenario())


def test_a_client_that_disconnects_leaves_nothing_running(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        simulator = Simulator(SimulatorSettings(latency_s=5.0, faults=(parse_fault("drip@1"),)))
        url = await simulator.start()
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        content = orjson.dumps(question(DOCUMENTS[0]))
        for cut in (20, len(content)):
            _, writer = await asyncio.open_connection(host, int(port))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content[:cut])
            await writer.drain()
            async with asyncio.timeout(5):
                await until(lambda: simulator.stats.in_flight == 1)
                writer.close()
                await until(lambda: simulator.stats.in_flight == 0)
        await simulator.stop()

    asyncio.run(scenario())
    assert caplog.records == []


def test_a_large_body_is_accepted() -> None:
    async def scenario() -> None:
        simulator = Simulator(SimulatorSettings(window=1_000_000))
        url = await simulator.start()
        request = urllib.request.Request(
            f"{url}/chat/completions", data=orjson.dumps(question("a long document " * 200_000))
        )

        def fetch() -> int:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)

        assert await asyncio.to_thread(fetch) == 200
        await simulator.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"nonsense\r\n\r\n",
    ],
)
def test_broken_http_is_a_bad_request_and_no_traceback(request_text: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> bytes:
        simulator = Simulator()
        url = await simulator.start()
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_text)
        line = await reader.readline()
        writer.close()
        await simulator.stop()
        return line

    assert b" 400 " in asyncio.run(scenario())
    assert caplog.records == []
