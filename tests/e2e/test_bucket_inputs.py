"""Inputs in buckets: one file, all files below a folder, or those that match a pattern."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forked import CONSTANTS
from tests.e2e.program import Program, documents, views
from tests.readers.s3_server import S3

TRIES_ONCE_MORE: dict[str, Any] = {
    CONSTANTS: json.dumps({"llmbatch.readers.sources.object_store._RETRIES": {"max_retries": 1}})
}


def lines(count: int, first: int = 0) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in documents(first + count)[first:])


@pytest.fixture
def program(llmbatch: Program, s3: S3) -> Program:
    llmbatch.env.update(s3.env)
    return llmbatch


def read(program: Program, *names: str) -> dict[str, int]:
    done = program("input", *names, "--json")
    assert done.code == 0, done.err
    return {look["file"]: look["rows"] for look in done.json["inputs"]}


def test_an_object_is_fetched_once_and_read_from_the_folder(program: Program, s3: S3) -> None:
    s3.put("2026/docs.jsonl", lines(4))
    url = s3.url("2026/docs.jsonl")
    done = program("classify", url, "--offline")
    assert done.code == 0, done.err
    run = program.folder / "docs.offline.llmbatch"
    assert len(views(run)["results"]) == 4
    again = program("classify", url, "--offline")
    assert (again.code, "unchanged, not downloaded" in again.err) == (0, True)
    s3.put("2026/docs.jsonl", lines(6))
    more = program("classify", url, "--offline", "--json")
    assert (more.code, more.json["rows"]["total"]) == (0, 6)
    s3.delete("2026/docs.jsonl")
    assert program("classify", url, "--offline").code == 2
    assert program("export", run).code == 0
    written = done.err + "".join(path.read_text() for path in run.iterdir() if path.is_file())
    assert "s3cr3t" not in written
    assert "AKIAEXAMPLE" not in written


@pytest.mark.parametrize(
    "key",
    ["a b#1?.jsonl", "x%20y.jsonl", "a+b&c=d.jsonl", "caf\u00e9/\u6587.jsonl", "q[1].jsonl", "*.jsonl", "UPPER.JSONL"],
)
def test_keys_are_used_literally(program: Program, s3: S3, key: str) -> None:
    s3.put(key, lines(2))
    s3.put("q1.jsonl", lines(3))
    assert read(program, s3.url(key)) == {s3.url(key): 2}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ["a.csv", "p/b.jsonl", "p/c.jsonl.gz", "p/q/d.jsonl", "p2/e.jsonl"]),
        ("p/", ["p/b.jsonl", "p/c.jsonl.gz", "p/q/d.jsonl"]),
        ("p", ["p/b.jsonl", "p/c.jsonl.gz", "p/q/d.jsonl"]),
        ("p/*", ["p/b.jsonl", "p/c.jsonl.gz"]),
        ("*/*.jsonl", ["p/b.jsonl", "p2/e.jsonl"]),
        ("p/**/*.jsonl", ["p/b.jsonl", "p/q/d.jsonl"]),
        ("**", ["a.csv", "p/b.jsonl", "p/c.jsonl.gz", "p/q/d.jsonl", "p2/e.jsonl"]),
        ("p/[!c].jsonl*", ["p/b.jsonl"]),
        ("p?/e.*", ["p2/e.jsonl"]),
    ],
)
def test_folders_and_patterns_work_as_on_a_disk(
    program: Program, s3: S3, path: str, expected: list[str], tmp_path: Path
) -> None:
    files = {"a.csv": b"id,text\n1,a b c\n", "p/b.jsonl": lines(1), "p/c.jsonl.gz": gzip.compress(lines(1))}
    files |= {"p/q/d.jsonl": lines(1), "p2/e.jsonl": lines(1), "p/.hidden.jsonl": b"", "p/_SUCCESS": b""}
    files |= {"p/run.llmbatch/results.jsonl": lines(1), "p/readme.pdf": b"..."}
    for key, content in files.items():
        s3.put(key, content)
        (tmp_path / "disk" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / key).write_bytes(content)
    assert list(read(program, s3.url(path))) == [s3.url(key) for key in expected]
    assert list(read(program, f"disk/{path}")) == [f"disk/{key}" for key in expected]


def test_other_objects_of_a_folder_are_reported(program: Program, s3: S3) -> None:
    for key in ("p/a.jsonl", "p/b.pdf", "p/c.pdf"):
        s3.put(key, lines(1))
    done = program("classify", s3.url("p/"), "--offline")
    assert (done.code, (program.folder / "p.offline.llmbatch").is_dir()) == (0, True)
    assert "ignored: file in .pdf (2); for example b.pdf" in " ".join(done.err.split())


def test_an_empty_object_has_no_rows(program: Program, s3: S3) -> None:
    s3.put("empty.jsonl", b"")
    assert read(program, s3.url("empty.jsonl")) == read(program, s3.url()) == {s3.url("empty.jsonl"): 0}


def test_a_content_encoding_is_decoded(program: Program, s3: S3) -> None:
    s3.put("docs.jsonl", gzip.compress(lines(2)), Content_Encoding="gzip")
    s3.put("docs.jsonl.gz", gzip.compress(gzip.compress(lines(3))), Content_Encoding="gzip")
    assert read(program, s3.url("*")) == {s3.url("docs.jsonl"): 2, s3.url("docs.jsonl.gz"): 3}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s3://{bucket}/none.jsonl", "no such file"),
        ("s3://{bucket}/none/*.jsonl", "the pattern matches no files"),
        ("s3://{bucket}/none/", "no such file, or folder"),
        ("s3://{bucket}/only/", "contains no input files"),
        ("s3://no-such-bucket/", "no such bucket"),
        ("s3://no-such-bucket/docs.jsonl", "no such"),
        ("s3://{bucket}/a//b.jsonl", "this key cannot be read"),
        ("s3:///docs.jsonl", "no bucket in the address"),
        ("s3://", "no bucket in the address"),
    ],
)
def test_a_missing_object_is_a_one_line_error(program: Program, s3: S3, name: str, message: str) -> None:
    s3.put("only/a.bin", b"...")
    done = program("classify", name.format(bucket=s3.bucket), "--offline")
    assert (done.code, message in " ".join(done.err.split()), "Traceback" in done.err) == (2, True, False), done.err
    assert list(program.folder.iterdir()) == []


def test_credentials_can_come_from_a_profile(program: Program, s3: S3) -> None:
    s3.put("docs.jsonl", lines(2))
    for name in s3.env:
        del program.env[name]
    config, keys = program.folder / "config", program.folder / "keys"
    program.env.update(AWS_PROFILE="work", AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(keys))
    none = program("input", s3.url("docs.jsonl"))
    assert (none.code, "no such profile 'work'" in none.err) == (2, True)
    config.write_text(f"[profile work]\nregion = us-east-1\nendpoint_url = {s3.endpoint}\nsso_session = corp\n")
    elsewhere = program("input", s3.url("docs.jsonl"))
    assert (elsewhere.code, "export-credentials --profile work" in " ".join(elsewhere.err.split())) == (2, True)
    keys.write_text("[work]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s3cr3t\n")
    assert read(program, s3.url("docs.jsonl")) == {s3.url("docs.jsonl"): 2}


def test_without_credentials_google_and_azure_are_a_one_line_error(program: Program) -> None:
    program.env.update(HOME=str(program.folder), AZURE_STORAGE_ACCOUNT_NAME="")
    done = program("input", "az://container/docs.jsonl")
    assert (done.code, "AZURE_STORAGE_ACCOUNT_NAME" in " ".join(done.err.split())) == (2, True), done.err


@pytest.mark.parametrize(
    ("bucket", "path"),
    [("bucket", "docs.jsonl"), ("bucket", "2026/"), ("metadata", "2026/*.jsonl"), ("credentials-416", "docs.jsonl")],
)
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_an_unreachable_store_is_a_one_line_error(program: Program, scheme: str, bucket: str, path: str) -> None:
    nobody = "http://127.0.0.1:1"
    program.env.update(AWS_ENDPOINT_URL=nobody, STORAGE_EMULATOR_HOST=nobody)
    program.env["AZURE_STORAGE_CONNECTION_STRING"] = f"AccountName=ann;AccountKey=a2V5;BlobEndpoint={nobody}/ann"
    done = program("input", f"{scheme}://{bucket}/{path}", **TRIES_ONCE_MORE)
    assert (done.code, "cannot be reached" in " ".join(done.err.split()), "Traceback" in done.err) == (2, True, False)
