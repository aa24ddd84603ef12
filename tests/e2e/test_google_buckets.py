"""Google's buckets, through the XML API that Google and Amazon share, served by Moto here."""

import json
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.program import Program, documents, views
from tests.readers.s3_server import S3

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")


@pytest.fixture(scope="module")
def bucket(s3_server: str) -> S3:
    """Moto accepts no `%2D` in a bucket's name, and unsigned requests only for public objects."""
    name = "documents"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")).close()
    bucket = S3(s3_server, name)
    bucket.put("2026/docs.jsonl", lines(4))
    bucket.put("2026/more.csv", b"id,text\n1,a parcel that never came\n")
    return bucket


@pytest.fixture
def program(llmbatch: Program, bucket: S3) -> Program:
    """With a key file as Google issues them."""
    llmbatch.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(key_file(llmbatch.folder / "key.json"))
    llmbatch.env["STORAGE_EMULATOR_HOST"] = bucket.endpoint
    return llmbatch


def key_file(path: Path) -> Path:
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - comes with Moto

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "client_email": "night@example.test", "private_key_id": "1"}
    path.write_text(json.dumps({**account, "private_key": pem.decode()}))
    return path


def lines(count: int) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in documents(count))


def test_a_file_is_fetched_labelled_and_its_outputs_are_written_back(program: Program, bucket: S3) -> None:
    done = program("classify", "gs://documents/2026/docs.jsonl", "--offline")
    assert done.code == 0, done.err
    run = program.folder / "docs.offline.llmbatch"
    assert len(views(run)["results"]) == 4
    again = program("classify", "gs://documents/2026/docs.jsonl", "--offline")
    assert (again.code, "unchanged, not downloaded" in again.err) == (0, True)
    put = program("export", run, "--out", "gs://documents/out/")
    assert (put.code, "gs://documents/out/results.jsonl" in put.out) == (0, True), put.err
    assert bucket.get("out/results.jsonl") == (run / "results.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("2026/", {"2026/docs.jsonl": 4, "2026/more.csv": 1}),
        ("2026", {"2026/docs.jsonl": 4, "2026/more.csv": 1}),
        ("*/*.csv", {"2026/more.csv": 1}),
    ],
)
def test_folders_and_patterns(program: Program, path: str, expected: dict[str, int]) -> None:
    done = program("input", f"gs://documents/{path}", "--json")
    assert done.code == 0, done.err
    assert {look["file"]: look["rows"] for look in done.json["inputs"]} == {
        f"gs://documents/{key}": rows for key, rows in expected.items()
    }


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("gs://documents/none.jsonl", "no such file"),
        ("gs://documents/2026/*.parquet", "the pattern matches no files"),
        ("gs://nobucket/docs.jsonl", "no such bucket"),
    ],
)
def test_a_missing_object_is_a_one_line_error(program: Program, address: str, message: str) -> None:
    done = program("classify", address, "--offline")
    assert (done.code, message in " ".join(done.err.split())) == (2, True), done.err


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_emulator_variable_of_googles_clients_is_honoured(llmbatch: Program, bucket: S3, scheme: str) -> None:
    request = urllib.request.Request(
        f"{bucket.endpoint}/documents/open.jsonl", lines(3), {"x-amz-acl": "public-read"}, method="PUT"
    )
    request.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(request).close()
    llmbatch.env["STORAGE_EMULATOR_HOST"] = bucket.endpoint.replace("http://", scheme)
    done = llmbatch("input", "gs://documents/open.jsonl", "--json")
    assert (done.code, done.json["inputs"][0]["rows"]) == (0, 3), done.err
