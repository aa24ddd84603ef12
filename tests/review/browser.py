"""A real Chromium, driven over its own protocol: one window per person, with the page's output and key presses."""

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_S = 60
_CODES = re.compile(r"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b[@-_]")
_KEYS = {"enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}}


def without_codes(drawn: str) -> str:
    """Terminal output without cursor and colour codes."""
    return _CODES.sub("", drawn)


class Window:
    """One person's browser: separate cookies, and a page."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        self.drawn = ""
        """The terminal's output, without control codes."""
        self.requested: list[str] = []
        """The addresses that the page requested."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to the page."""
        return await self._browser.call(method, session=self._session, **parameters)

    async def open(self, url: str) -> None:
        """Go to an address."""
        for domain in ("Page", "Network", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def press(self, key: str) -> None:
        """Press a key."""
        about = _KEYS.get(key, {"key": key, "text": key})
        await self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=about["key"])

    async def shows(self, text: str) -> None:
        """Wait until the terminal draws a text from now on."""
        async with asyncio.timeout(TIMEOUT_S):
            while text not in self.drawn:
                await self._browser.next_event()
        self.drawn = ""

    async def until(self, condition: str) -> None:
        """Wait until an expression in the page is true."""
        look = f"const look = () => {condition} ? done() : requestAnimationFrame(look); look()"
        await self.call("Runtime.evaluate", expression=f"new Promise((done) => {{ {look} }})", awaitPromise=True)

    def take(self, event: dict[str, Any]) -> None:
        """Handle an event of the page."""
        about = event.get("params", {})
        if event["method"] == "Network.webSocketFrameReceived" and about["response"]["opcode"] == 2:
            drawn = base64.b64decode(about["response"]["payloadData"]).decode("utf-8", "replace")
            self.drawn += without_codes(drawn)
        elif event["method"] == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])


class Browser:
    """The process and its connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._windows: dict[str, Window] = {}

    async def window(self) -> Window:
        """Open a window that shares nothing with the others."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        window = self._windows[attached["sessionId"]] = Window(self, attached["sessionId"])
        return window

    async def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command, and return its answer."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message if session is None else {**message, "sessionId": session})
        while number not in self._answers:
            await self.next_event()
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def next_event(self) -> None:
        """Wait for the browser's next message, and dispatch it."""
        message = await self._socket.receive_json(timeout=TIMEOUT_S)
        if "id" in message:
            self._answers[message["id"]] = message
        elif message.get("sessionId") in self._windows:
            self._windows[message["sessionId"]].take(message)


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """Chromium with a profile in this folder."""
    assert CHROMIUM is not None
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *flags,
        f"--user-data-dir={folder}",
        "--remote-debugging-port=0",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        url = ""
        async with asyncio.timeout(TIMEOUT_S):
            while not url:
                url = (await process.stderr.readline()).decode().partition("DevTools listening on ")[2].strip()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, max_msg_size=0, autoping=True) as socket,
        ):
            yield Browser(socket)
    finally:
        process.terminate()
        await process.wait()
