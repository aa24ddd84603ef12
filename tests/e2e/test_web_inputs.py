"""A file on a web server as the input: fetched once, and read again from the run folder."""

import gzip
import io
import json
import signal
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import llmbatch as package
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, views, wait_until
from tests.readers.file_server import Asked, FileServer, Reply, ranged, serving

RUN = Path("docs.offline.llmbatch")
SECRETS = ("hunter2", "s3cr3t", "AKIAEXAMPLE")


def lines(count: int) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in documents(count))


def serve(body: bytes, tag: str, asked: Asked) -> Reply:
    return ranged(body, asked, {"ETag": tag})


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(lambda asked: ranged(lines(6), asked, {"ETag": '"1"'})) as running:
        yield running


def test_a_file_is_fetched_once_and_then_read_from_the_folder(llmbatch: Program, server: FileServer) -> None:
    url = server.url("/data/docs.jsonl")
    done = llmbatch("classify", url, "--offline")
    assert done.code == 0, done.err
    assert f"{url}: downloaded" in " ".join(done.err.split())
    (copy,) = (path for path in (llmbatch.folder / RUN).glob("download-*") if path.suffix != ".json")
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (lines(6), 0o600)
    again = llmbatch("classify", url, "--offline")
    assert again.code == 0
    assert "unchanged, not downloaded" in again.err
    assert len(server.asked) == 2
    for command in (("show", RUN, "--json"), ("retry", RUN, "--json")):
        assert llmbatch(*command).json["rows"]["total"] == 6
    assert llmbatch("export", RUN, "-f", "csv").code == 0
    assert len(server.asked) == 2


def test_a_changed_web_file_is_handled_like_a_changed_local_file(llmbatch: Program, server: FileServer) -> None:
    url, file = server.url("/docs.jsonl"), llmbatch.folder / "file.jsonl"
    changes = []
    for count in (6, 4):
        server.script = partial(serve, lines(count), f'"{count}"')
        file.write_bytes(lines(count))
        by_url = llmbatch("classify", url, "--offline", "--json")
        by_name = llmbatch("classify", file, "--offline", "--json")
        assert by_url.code == by_name.code
        changes.append([done.json["input_changes"] for done in (by_url, by_name)])
    assert [one["change"] for one in changes[1][0]] == [one["change"] for one in changes[1][1]] != []
    assert changes[1][0][0]["input"] == url


def test_no_secret_of_a_url_is_saved_or_shown(llmbatch: Program, server: FileServer, endpoint: StartEndpoint) -> None:
    signature = "X-Amz-Credential=AKIAEXAMPLE%2F2026&X-Amz-Signature=s3cr3t&X-Amz-Expires=60"
    url = f"http://ann:hunter2@127.0.0.1:{server.port}/docs.jsonl?part=7&{signature}&access_token=s3cr3t"
    arguments = ("--base-url", endpoint().url, "--log-file", "log.jsonl", "--log-format", "json")
    done = llmbatch("classify", url, *arguments)
    assert done.code == 0, done.err
    known, server.script = server.script, lambda _: Reply(status=404)
    failed = llmbatch("classify", url.replace("docs", "other"), *arguments)
    server.script = known
    assert failed.code == 2
    written = b"".join(
        [*(p.read_bytes() for p in llmbatch.folder.rglob("*") if p.is_file()), *map(str.encode, done.out)]
    )
    written += (done.err + done.out + failed.err).encode()
    assert not [secret for secret in SECRETS if secret.encode() in written]
    assert b"docs.jsonl?part=7" in written
    assert server.asked[0].path == f"/docs.jsonl?part=7&{signature}&access_token=s3cr3t"
    signed_again = llmbatch("classify", url.replace("s3cr3t", "another"), *arguments)
    assert (signed_again.code, "unchanged, not downloaded" in signed_again.err) == (0, True), signed_again.err


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=404), "no such file (HTTP 404)"),
        (Reply(status=403), "access denied (HTTP 403)"),
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), "a web page"),
        (Reply(b'{"n": 7}\n'), "no field looks like the text"),
    ],
    ids=["404", "403", "page", "no text"],
)
def test_a_failed_download_is_a_one_line_error_and_leaves_nothing_behind(
    llmbatch: Program, server: FileServer, reply: Reply, message: str
) -> None:
    server.script = lambda _: reply
    done = llmbatch("classify", server.url("/docs.jsonl"), "--offline")
    assert (done.code, message in " ".join(done.err.split()), done.err.count("\n") <= 3) == (2, True, True), done.err
    assert list(llmbatch.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["ftp://host/docs.csv", "file:///etc/passwd", "s4://bucket/docs.csv", "https://"])
def test_unsupported_urls_are_refused(llmbatch: Program, name: str) -> None:
    done = llmbatch("classify", name, "--offline")
    assert (done.code, "Traceback" in done.err) == (2, False)
    assert list(llmbatch.folder.iterdir()) == []


def test_a_stopped_run_resumes_after_its_url_has_expired(
    llmbatch: Program, server: FileServer, endpoint: StartEndpoint
) -> None:
    url, stopping = server.url("/docs.jsonl"), endpoint("--fault", "quota@3")
    assert llmbatch("classify", url, "--base-url", stopping.url, "--concurrency", "1").code == 4
    server.script = lambda _: Reply(status=403)
    done = llmbatch("classify", url, "--base-url", endpoint().url, "--json")
    assert (done.code, done.json["rows"]["total"]) == (0, 6), done.err
    assert "continuing with the copy of" in " ".join(done.err.split())
    assert llmbatch("classify", url, "--base-url", endpoint().url).code == 2, "the run is complete"


def test_a_strangers_folder_fetches_nothing(llmbatch: Program, server: FileServer, tmp_path: Path) -> None:
    assert llmbatch("classify", server.url("/docs.jsonl"), "--offline").code == 0
    asked = len(server.asked)
    llmbatch.env["XDG_STATE_HOME"] = str(tmp_path / "other")
    assert llmbatch("export", RUN).code == 0, "the copy is in the folder itself"
    (copy,) = (path for path in (llmbatch.folder / RUN).glob("download-*") if path.suffix != ".json")
    secret = tmp_path / "key.jsonl"
    copy.rename(secret)
    copy.symlink_to(secret)
    assert "symbolic link" in llmbatch("export", RUN).err
    copy.unlink()
    gone = llmbatch("export", RUN)
    assert (gone.code, "is gone" in gone.err) == (2, True), gone.err
    assert len(server.asked) == asked


def test_commands_without_a_run_folder_read_urls_too(llmbatch: Program, server: FileServer) -> None:
    url = server.url("/docs.jsonl")
    assert llmbatch("input", url, "--json").json["inputs"][0]["rows"] == 6
    assert llmbatch("estimate", url, "--json").code == 0
    assert list(llmbatch.folder.iterdir()) == []
    compared = llmbatch("compare", url, "--model", "a", "--model", "b", "--offline", "--rows", "4", "--json")
    assert compared.code == 0, compared.err


def test_gold_labels_can_come_from_a_url(llmbatch: Program, server: FileServer) -> None:
    assert llmbatch("classify", server.url("/docs.jsonl"), "--offline").code == 0
    gold = b"".join(json.dumps({"id": row["id"], "label": "technical"}).encode() + b"\n" for row in documents(6))
    server.script = lambda _: Reply(gold)
    done = llmbatch("evaluate", RUN, "--gold", server.url("/gold.jsonl?token=s3cr3t"), "--json")
    assert (done.code, "s3cr3t" in done.out + done.err) == (0, False), done.err
    server.script = lambda _: Reply(b'{"id": 1, "x": 2}\n')
    refused = llmbatch("evaluate", RUN, "--gold", server.url("/gold.jsonl?token=s3cr3t"))
    assert (refused.code, "s3cr3t" in refused.out + refused.err) == (2, False), refused.err


def test_the_format_of_a_file_is_detected(llmbatch: Program, server: FileServer) -> None:
    table = b"id,text\n" + b"".join(f"{row['id']},{row['text'][:20]!r}\n".encode() for row in documents(3))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("docs.csv", table)
    bodies = {
        "/docs.csv.gz": gzip.compress(table),
        "/export?format=csv": table,
        "/a%20b.csv": table,
        "/CAPS.CSV": table,
    }
    for path, body in {**bodies, "/docs.zip": archive.getvalue(), "/docs.csv.zip": archive.getvalue()}.items():
        server.script = partial(serve, body, '"1"')
        assert llmbatch("input", server.url(path), "--json").json["inputs"][0]["rows"] == 3


def test_python_accepts_a_url(server: FileServer, tmp_path: Path) -> None:
    run = package.classify(server.url("/docs.jsonl"), offline=True, out=tmp_path / "run")
    assert len(list(run)) == 6


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_download_is_resumed(llmbatch: Program, server: FileServer, end: signal.Signals) -> None:
    body, finished = lines(40), threading.Event()
    server.script = lambda _: Reply(body, headers={"ETag": '"1"'}, cut=2_000, before_end=finished.wait)
    program = llmbatch.start("classify", server.url("/docs.jsonl"), "--offline")
    wait_until(lambda: any(part.stat().st_size == 2_000 for part in llmbatch.folder.glob("*/download-*.part")), program)
    program.send_signal(end)
    program.communicate()
    finished.set()
    server.script = lambda asked: ranged(body, asked, {"ETag": '"1"'})
    assert llmbatch("classify", server.url("/docs.jsonl"), "--offline").code == 0
    assert server.asked[-1].headers["Range"] == "bytes=2000-"
    assert len(views(llmbatch.folder / RUN)["results"]) == 40
