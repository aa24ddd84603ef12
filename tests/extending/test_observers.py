"""Observers from other packages: created for each run, notified of events, and unable to break it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from llmbatch import Observer, classify
from llmbatch.core.errors import UsageError
from llmbatch.extending import LedgerLine
from llmbatch.telemetry.watch import WatchOptions, watch
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows
from tests.extending.conftest import Site

GROUP = "[llmbatch.observers]\none = acme:One\n"


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """The address of a chat room, and the messages posted there."""
    posted: list[Any] = []

    class Room(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Room)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posted
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_summary_of_a_run_is_posted(
    extended: Program, endpoint: StartEndpoint, webhook: tuple[str, list[Any]]
) -> None:
    url, posted = webhook
    write_rows(extended.folder / "docs.jsonl", documents(2))
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--review-below", "0")
    assert extended(*command, LLMBATCH_OBSERVER="webhook", RUN_WEBHOOK_URL=url).code == 0
    assert posted == [{"text": "docs.llmbatch: finished, 2 ok, 0 failed"}]
    done = extended(*command, "--observer", "webhook")
    assert (done.code, done.err.count("error:"), "needs RUN_WEBHOOK_URL" in done.err) == (2, 1, True), done.err


def test_an_unknown_observer_is_refused_before_anything_is_sent(extended: Program, endpoint: StartEndpoint) -> None:
    write_rows(extended.folder / "docs.jsonl", documents(1))
    server = endpoint()
    done = extended("classify", "docs.jsonl", "--base-url", server.url, "--observer", "pager")
    assert (done.code, "use one of webhook" in done.err, server.requests) == (2, True, 0), done.err


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def One(): 1 / 0", "ZeroDivisionError"),
        ("def One(needed): pass", "TypeError"),
        ("class One: pass", "it makes a One where an Observer is needed"),
        ("One = 1", "TypeError"),
    ],
)
def test_an_invalid_observer_factory_is_refused(site: Site, code: str, reason: str) -> None:
    site.install("acme", GROUP, {"acme": code})
    with pytest.raises(UsageError, match=reason):
        watch(WatchOptions(observers=("one",)))


def test_an_observer_that_fails_later_is_dropped_and_the_run_continues(
    extended: Program, endpoint: StartEndpoint, site: Site
) -> None:
    code = "from llmbatch.extending import Observer\nclass One(Observer):\n def row(self, line): 1 / 0\n"
    site.install("acme", GROUP, {"acme": code})
    write_rows(extended.folder / "docs.jsonl", documents(3))
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--observer", "one")
    done = extended(*command, PYTHONPATH=str(site.path))
    assert (done.code, done.err.count("ZeroDivisionError")) == (0, 1), done.err


class Rows(Observer):
    def __init__(self) -> None:
        self.keys: list[str] = []

    def row(self, line: LedgerLine) -> None:
        self.keys.append(line.key)


def test_a_call_from_python_accepts_its_own_observers(endpoint: StartEndpoint) -> None:
    first, second = Rows(), Rows()
    run = classify(["The invoice.", "The API."], base_url=endpoint().url, spend_store="off", observer=[first, second])
    assert (len(run), len(first.keys), first.keys) == (2, 2, second.keys)
    with pytest.raises(UsageError, match="'pager' is unknown"):
        classify(["The invoice."], offline=True, observer="pager")
    with pytest.raises(UsageError, match="not int"):
        classify(["The invoice."], offline=True, observer=1)  # type: ignore[arg-type]
