"""The review in a browser: access, and two people who decide at the same time."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.e2e.program import environment, read_rows, views
from tests.review.browser import CHROMIUM, Window, browser, without_codes


class Served:
    """`llmbatch review RUN --web`."""

    def __init__(self, process: subprocess.Popen[str], links: dict[str, str]) -> None:
        self.process = process
        self.links = links
        """The link of each reviewer."""

    def ask(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Ask for a path on the link's host. Returns the status, the headers and the body."""
        address = urlsplit(next(iter(self.links.values())))
        connection = HTTPConnection(address.hostname or "", address.port or 0, timeout=30)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, dict(response.getheaders()), body

    def end(self) -> tuple[int, str]:
        """Press Ctrl-C. Returns the exit code and the output."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def served(run: Path, *reviewers: str) -> Iterator[Served]:
    first, *others = reviewers
    invited = [part for name in others for part in ("--invite", name)]
    process = subprocess.Popen(
        [sys.executable, "-m", "llmbatch", "review", str(run), "--web", "--trust", "--reviewer", first, *invited],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(HOME=str(run.parent)),
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in reviewers]
        yield Served(process, dict(line.split() for line in lines))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def open_review(run: Path) -> Iterator[Served]:
    with served(run, "ana", "ben") as review:
        yield review


def test_a_link_admits_one_browser_once(open_review: Served) -> None:
    for link in open_review.links.values():
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", link)
    first = urlsplit(open_review.links["ana"])
    path = f"{first.path}?{first.query}"
    assert open_review.ask("/")[0] == 403
    assert open_review.ask("/ws")[0] == 403
    assert open_review.ask("/static/js/textual.js")[0] == 403
    assert open_review.ask("/?token=wrong")[0] == 403
    assert open_review.ask(path, Host="evil.example")[0] == 403
    assert open_review.ask(path, Origin="http://evil.example")[0] == 403
    status, headers, _ = open_review.ask(path)
    cookie = headers["Set-Cookie"]
    assert (status, headers["Location"]) == (302, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    status, _, body = open_review.ask(path)
    assert (status, "already been used" in body) == (403, True)
    mine = {"Cookie": cookie.partition(";")[0]}
    status, headers, body = open_review.ask("/", **mine)
    assert (status, "<title>ana reviews docs.llmbatch</title>" in body) == (200, True)
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert open_review.ask("/static/js/textual.js", **mine)[0] == 200
    assert open_review.ask("/static/../access.py", **mine)[0] in {403, 404}
    for origin in ({}, {"Origin": "http://evil.example"}):
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", **origin}
        assert open_review.ask("/ws", **mine, **upgrade, **{"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})[0] == 403
    code, output = open_review.end()
    assert (code, "nothing was decided" in output) == (0, True)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_two_people_decide_three_rows_in_their_browsers_concurrently(
    open_review: Served, run: Path, tmp_path: Path
) -> None:
    async def session() -> None:
        async with browser(tmp_path / "chromium") as opened:
            ana, ben = await opened.window(), await opened.window()
            await ana.open(open_review.links["ana"])
            await ben.open(open_review.links["ben"])
            await ana.shows("0 of 5 · ana")
            await ben.shows("0 of 5 · ben")
            await ana.press("enter")
            await ana.shows("1 of 5")
            await ben.press("3")
            await ben.shows("2 of 5")
            await ana.press("2")
            await ana.shows("3 of 5")
            assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in ana.requested), ana.requested
            await leave(ana)

    asyncio.run(session())
    lines = read_rows(run / "decisions.jsonl")
    assert [(line["reviewer"], line["category"]) for line in lines] == [
        ("ana", "technical"),
        ("ben", "legal"),
        ("ana", "business"),
    ]
    assert len({line["text"] for line in lines}) == 3
    code, output = open_review.end()
    assert code == 0, output
    human = [row for row in views(run)["results"] if row.get("decided_by") == "human"]
    assert {row["reviewer"] for row in human} == {"ana", "ben"}


async def leave(window: Window) -> None:
    """Quit: the page says that the review ended."""
    await window.press("q")
    await window.until("document.body.classList.contains('-closed')")


def test_web_options_are_refused_without_web(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmbatch", "review", str(run), "--invite", "ben"],
        capture_output=True,
        text=True,
        env=environment(HOME=str(run.parent)),
        check=False,
    )
    assert (done.returncode, "need --web" in done.stderr) == (2, True)


def test_invalid_messages_are_ignored_and_no_process_is_left_after_a_kill(open_review: Served, run: Path) -> None:
    link = open_review.links["ben"]
    origin = link.partition("/?")[0]

    async def session() -> int:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            assert (await client.get(link)).status == 200
            async with client.ws_connect(f"{origin}/ws?width=x&height=999999", headers={"Origin": origin}) as socket:
                await drawn(socket, "0 of 5 · ben")
                nonsense = ["{", "[]", "5", '["stdin", 5]', '["resize", {"width": "x"}]', '["open", {}]', "\ud83d"]
                for text in nonsense:
                    await socket.send_str(text.encode("utf-8", "ignore").decode())
                await socket.send_bytes(b"\xff")
                await socket.send_json(["resize", {"width": 100, "height": -1}])
                await socket.send_json(["stdin", "2"])
                await drawn(socket, "1 of 5 · ben")
                (child,) = children(open_review.process.pid)
                open_review.process.kill()
                return child

    child = asyncio.run(session())
    deadline = time.monotonic() + 60
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [line["category"] for line in read_rows(run / "decisions.jsonl")] == ["business"]


async def drawn(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
    """Wait until the application has drawn a text."""
    seen = ""
    while text not in seen:
        message = await socket.receive(timeout=60)
        if message.type == aiohttp.WSMsgType.BINARY:
            seen += without_codes(message.data.decode("utf-8", "replace"))


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process: int) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
