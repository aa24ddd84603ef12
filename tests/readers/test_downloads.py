"""A file on a web server is downloaded completely or not at all, once, and a part is resumed only as the same file."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.readers.sources.download import Download, download
from llmbatch.readers.sources.remote_address import parse_remote
from llmbatch.readers.sources.web import WebFile
from tests.readers.file_server import Asked, FileServer, Reply, Script, ranged, serving

BODY = (bytes(range(251)) * 2_400)[:600_000]
TAG = {"ETag": '"1"'}


def fetch(server: FileServer, file: Path, path: str = "/docs.jsonl", waits: list[float] | None = None) -> Download:
    url = server.url(path)
    pauses = [] if waits is None else waits
    return download(WebFile(parse_remote(url).name, url), file, wait=pauses.append)


class KilledError(Exception):
    pass


def kill(_: float) -> None:
    raise KilledError


def left_over(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_file_is_fetched_once(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    with serving(lambda asked: ranged(BODY, asked, TAG)) as server:
        assert fetch(server, file) == Download(len(BODY), is_new=True)
        assert fetch(server, file) == Download(len(BODY), is_new=False)
    assert file.read_bytes() == BODY
    assert [asked.headers.get("If-None-Match") for asked in server.asked] == [None, '"1"']
    assert left_over(file) == ["spool", "spool.json"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_is_fetched_once_also_from_a_server_that_ignores_conditions(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    with serving(lambda _: Reply(BODY, headers=TAG)) as server:
        fetch(server, file)
        assert fetch(server, file).is_new is False


@pytest.mark.parametrize("headers", [{}, {"Last-Modified": "Fri, 27 Nov 2026 12:00:00 GMT"}], ids=["nothing", "a date"])
def test_without_an_etag_the_date_identifies_the_version_or_it_is_fetched_again(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    with serving(lambda _: Reply(b"text\n", headers=headers)) as server:
        fetch(server, tmp_path / "spool")
        assert fetch(server, tmp_path / "spool").is_new is not bool(headers)


def test_a_file_that_changed_replaces_the_copy(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    with serving(lambda asked: ranged(BODY, asked, TAG)) as server:
        fetch(server, file)
        server.script = lambda asked: ranged(BODY[::-1], asked, {"ETag": '"2"'})
        assert fetch(server, file).is_new
    assert file.read_bytes() == BODY[::-1]


def test_a_download_resumes_after_a_lost_connection(tmp_path: Path) -> None:
    file, waits = tmp_path / "spool", list[float]()
    with serving(lambda asked: ranged(BODY, asked, TAG, cut=200_000 if len(server.asked) < 3 else None)) as server:
        fetch(server, file, waits=waits)
    assert file.read_bytes() == BODY
    assert [asked.headers.get("Range") for asked in server.asked] == [None, "bytes=200000-", "bytes=400000-"]
    assert len(waits) == 2


def test_a_download_resumes_after_the_program_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    with serving(lambda asked: ranged(BODY, asked, TAG, cut=200_000)) as server:
        with pytest.raises(KilledError):
            download(WebFile("x", server.url("/x")), file, wait=kill)
        assert not file.exists()
        server.script = lambda asked: ranged(BODY, asked, TAG)
        fetch(server, file)
    assert file.read_bytes() == BODY
    assert server.asked[-1].headers["Range"] == "bytes=200000-"


def replaced(asked: Asked) -> Reply:
    return ranged(BODY[::-1], asked, {"ETag": '"2"'})


def ignores_ranges(_: Asked) -> Reply:
    return Reply(BODY, headers=TAG)


def overlaps(asked: Asked) -> Reply:
    start = 150_000 if "Range" in asked.headers else 0
    span = {"Content-Range": f"Bytes {start}-{len(BODY) - 1}/{len(BODY)}"}
    return Reply(BODY[start:], 206 if start else 200, {**TAG, **span})


def ignores_conditions(asked: Asked) -> Reply:
    start = 200_000 if "Range" in asked.headers else 0
    span = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"}
    return Reply(BODY[::-1][start:], 206 if start else 200, {"ETag": '"2"', **span})


def has_nothing_left(asked: Asked) -> Reply:
    return Reply(status=416) if "Range" in asked.headers else Reply(BODY, headers=TAG)


def says_no_range(asked: Asked) -> Reply:
    return Reply(BODY[200_000:], 206, TAG) if "Range" in asked.headers else Reply(BODY, headers=TAG)


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (replaced, BODY[::-1]),
        (ignores_ranges, BODY),
        (overlaps, BODY),
        (ignores_conditions, BODY[::-1]),
        (has_nothing_left, BODY),
        (says_no_range, BODY),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_partial_download_resumes_only_if_the_file_is_unchanged(
    tmp_path: Path, then: Script, expected: bytes
) -> None:
    file = tmp_path / "spool"
    with serving(lambda asked: ranged(BODY, asked, TAG, cut=200_000)) as server:

        def change(_: float) -> None:
            server.script = then

        url = server.url("/x")
        download(WebFile("x", url), file, wait=change)
    assert file.read_bytes() == expected
    assert left_over(file) == ["spool", "spool.json"]


def test_a_partial_download_with_a_weak_etag_starts_over(tmp_path: Path) -> None:
    file, weak = tmp_path / "spool", {"ETag": 'W/"1"'}
    with serving(lambda asked: ranged(BODY, asked, weak, cut=200_000 if len(server.asked) < 2 else None)) as server:
        fetch(server, file)
        assert fetch(server, file).is_new is False
    assert file.read_bytes() == BODY
    assert [asked.headers.get("Range") for asked in server.asked] == [None, None, None]


def test_the_content_length_is_optional(tmp_path: Path) -> None:
    with serving(lambda _: Reply(BODY, says_length=False)) as server:
        fetch(server, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == BODY


@pytest.mark.parametrize("content", [b'{"text": "a"}\n', gzip.compress(b'{"text": "a"}\n')], ids=["text", "a .gz file"])
@pytest.mark.parametrize("name", ["gzip", "x-gzip"])
def test_content_encoding_is_undone_and_a_compressed_file_stays_compressed(
    tmp_path: Path, content: bytes, name: str
) -> None:
    packed = gzip.compress(content)
    with serving(lambda asked: ranged(packed, asked, {"Content-Encoding": name, **TAG})) as server:
        fetch(server, tmp_path / "spool")
        assert fetch(server, tmp_path / "spool").is_new is False
    assert (tmp_path / "spool").read_bytes() == content


@pytest.mark.parametrize("damaged", [gzip.compress(BODY)[:-9], b"no gzip"], ids=["cut", "none"])
def test_a_damaged_content_encoding_is_refused(tmp_path: Path, damaged: bytes) -> None:
    packed = Reply(damaged, headers={"Content-Encoding": "gzip"})
    with serving(lambda _: packed) as server, pytest.raises(UsageError, match="damaged gzip data"):
        fetch(server, tmp_path / "spool")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_content_encoding_is_refused(tmp_path: Path) -> None:
    packed = Reply(b"...", headers={"Content-Encoding": "br"})
    with serving(lambda _: packed) as server, pytest.raises(UsageError, match="Content-Encoding 'br'"):
        fetch(server, tmp_path / "spool")


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "no such file"), (403, "access denied"), (401, "authentication required"), (410, "gone"), (418, "HTTP 418")],
)
def test_a_refusal_is_reported_in_one_line_and_not_retried(tmp_path: Path, status: int, message: str) -> None:
    with serving(lambda _: Reply(status=status)) as server, pytest.raises(UsageError, match=message):
        fetch(server, tmp_path / "spool")
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_failing_server_is_retried_a_limited_number_of_times(tmp_path: Path) -> None:
    waits: list[float] = []
    with serving(lambda _: Reply(status=503)) as server, pytest.raises(UsageError, match="HTTP 503"):
        fetch(server, tmp_path / "spool", waits=waits)
    assert waits == [1, 2, 4, 8]


def test_the_servers_retry_after_is_respected(tmp_path: Path) -> None:
    waits: list[float] = []
    busy = Reply(status=429, headers={"Retry-After": "7"})
    with serving(lambda _: Reply(b"text\n") if waits else busy) as server:
        fetch(server, tmp_path / "spool", waits=waits)
    assert waits == [7]


def test_a_web_page_is_not_accepted_as_a_file(tmp_path: Path) -> None:
    page = Reply(b"\n <!DOCTYPE html><title>Sign in</title>", headers={"Content-Type": "text/html; charset=utf-8"})
    with serving(lambda _: page) as server, pytest.raises(UsageError, match="a web page"):
        fetch(server, tmp_path / "spool", "/blob/docs.csv")


def test_a_table_served_as_html_is_read(tmp_path: Path) -> None:
    with serving(lambda _: Reply(b"id,text\n1,a\n", headers={"Content-Type": "text/html"})) as server:
        fetch(server, tmp_path / "spool", "/docs.csv")
    assert (tmp_path / "spool").read_bytes() == b"id,text\n1,a\n"


def redirecting(to: Callable[[Asked], str]) -> Script:
    def script(asked: Asked) -> Reply:
        return Reply(b"text\n") if asked.path == "/file" else Reply(status=302, headers={"Location": to(asked)})

    return script


def test_a_password_is_sent_to_the_same_server_only(tmp_path: Path) -> None:
    with serving(lambda _: Reply(b"text\n")) as other, serving(redirecting(lambda _: "/file")) as server:
        url = f"http://ann:s%40cret@127.0.0.1:{server.port}/start"
        download(WebFile("x", url), tmp_path / "here")
        assert [asked.headers["Authorization"] for asked in server.asked] == ["Basic YW5uOnNAY3JldA=="] * 2
        server.script = redirecting(lambda _: other.url("/file"))
        download(WebFile("x", url), tmp_path / "there")
        assert other.asked[0].headers["Authorization"] is None


def test_endless_redirects_are_an_error(tmp_path: Path) -> None:
    with serving(redirecting(lambda _: "/again")) as server, pytest.raises(UsageError, match="HTTP 302"):
        fetch(server, tmp_path / "spool")


def test_an_unreachable_server_is_an_error_after_retries(tmp_path: Path) -> None:
    with serving(lambda _: Reply()) as server:
        pass
    with pytest.raises(UsageError, match="cannot be reached"):
        fetch(server, tmp_path / "spool")


def test_a_stored_version_with_a_newline_is_not_sent_as_a_header(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    file.write_bytes(b"old")
    Path(f"{file}.json").write_text('{"etag": "\\"1\\"\\r\\nX-Evil: 1", "size": 3}')
    with serving(lambda _: Reply(b"new")) as server:
        fetch(server, file)
    assert file.read_bytes() == b"new"
    assert server.asked[0].headers["If-None-Match"] is None


@pytest.fixture(scope="module")
def running_server() -> Iterator[FileServer]:
    with serving(lambda _: Reply()) as running:
        yield running


@settings(max_examples=15)
@given(st.lists(st.integers(0, 5_000), max_size=6), st.integers(1, 5_000))
def test_the_file_is_complete_wherever_connections_are_lost(
    running_server: FileServer, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], size: int
) -> None:
    body, file, left = BODY[:size], tmp_path_factory.mktemp("cut") / "spool", list(cuts)
    running_server.script = lambda asked: ranged(body, asked, TAG, cut=left.pop() if left else None)
    for _ in range(len(cuts) + 1):
        try:
            fetch(running_server, file)
        except UsageError:
            assert not file.exists()
    assert file.read_bytes() == body
