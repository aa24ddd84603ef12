"""Files of the Hugging Face Hub as inputs, against a server that answers like it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Program, documents
from tests.readers.file_server import Asked, FileServer, Reply, serving

FILES = ["model.bin", "data/train-0.jsonl", "data/train-1.jsonl", "data/test.jsonl"]
BODY = b"".join(json.dumps(row).encode() + b"\n" for row in documents(2))


def hub(asked: Asked) -> Reply:
    """Like the Hub: lists come in pages of two, and files from another path."""
    if asked.headers["Authorization"] != "Bearer hf_s3cr3t":
        return Reply(status=401)
    path, _, parameters = asked.path.partition("?")
    if path.startswith("/api/datasets/ann/mails/tree/main"):
        below = path.removeprefix("/api/datasets/ann/mails/tree/main").strip("/")
        found = [{"type": "file", "path": file} for file in FILES if file.startswith(below)]
        first = 2 if "cursor=2" in parameters else 0
        host = asked.headers["Host"]
        after = {"Link": f'<http://{host}{path}?recursive=true&cursor=2>; rel="next"'} if len(found) > first + 2 else {}
        return Reply(
            json.dumps([*found[first : first + 2], {"type": "directory", "path": "data"}]).encode(), headers=after
        )
    if path.startswith("/datasets/ann/mails/resolve/") and path.endswith((*FILES, "a%20b%231.jsonl")):
        return Reply(status=307, headers={"Location": f"/cache{path}"})
    return Reply(BODY, headers={"ETag": '"1"'}) if path.startswith("/cache/") else Reply(status=404)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(hub) as running:
        yield running


@pytest.fixture
def program(llmbatch: Program, server: FileServer, tmp_path: Path) -> Program:
    llmbatch.env.update(HF_ENDPOINT=server.url(""), HF_TOKEN="hf_s3cr3t", HF_HOME=str(tmp_path / "none"))
    return llmbatch


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/test.jsonl", ["data/test.jsonl"]),
        ("", FILES[1:]),
        ("/data", FILES[1:]),
        ("/data/", FILES[1:]),
        ("/data/train-*.jsonl", FILES[1:3]),
        ("/**/t*.jsonl", FILES[1:]),
        ("/a b#1.jsonl", ["a b#1.jsonl"]),
    ],
)
def test_files_folders_and_patterns(program: Program, path: str, expected: list[str]) -> None:
    done = program("input", f"hf://datasets/ann/mails{path}", "--json")
    assert done.code == 0, done.err
    read = {look["file"]: look["rows"] for look in done.json["inputs"]}
    assert read == {f"hf://datasets/ann/mails/{name}": 2 for name in sorted(expected)}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("datasets/ann/mails@refs/convert/parquet/a.csv", "/datasets/ann/mails/resolve/refs%2Fconvert%2Fparquet/a.csv"),
        ("datasets/ann/mails@v1.0/a.csv", "/datasets/ann/mails/resolve/v1.0/a.csv"),
        ("ann/model/a.csv", "/ann/model/resolve/main/a.csv"),
        ("spaces/ann/app/a.csv", "/spaces/ann/app/resolve/main/a.csv"),
    ],
)
def test_revisions_and_kinds_of_repositories(program: Program, server: FileServer, name: str, path: str) -> None:
    assert program("input", f"hf://{name}").code == 2
    assert [asked.path for asked in server.asked] == [path]


def test_a_token_is_needed_and_never_shown(program: Program) -> None:
    done = program("classify", "hf://datasets/ann/mails/data/test.jsonl", "--offline")
    written = done.err + "".join(path.read_text() for path in program.folder.rglob("*") if path.is_file())
    assert (done.code, "s3cr3t" in written) == (0, False)
    refused = program("input", "hf://datasets/ann/mails/data/test.jsonl", HF_TOKEN="")
    assert (refused.code, "set HF_TOKEN" in refused.err) == (2, True)


@pytest.mark.parametrize("name", ["hf://", "hf://datasets", "hf://datasets/ann", "hf://ann"])
def test_an_invalid_repository_is_refused(program: Program, name: str) -> None:
    done = program("input", name)
    assert (done.code, "no repository in the address" in done.err) == (2, True)
