"""The outputs of a run in a bucket: each is complete, and replaces the earlier one."""

import json

import pytest

from tests.e2e.program import Program, documents, write_rows
from tests.readers.s3_server import S3

RUN = "docs.offline.llmbatch"


@pytest.fixture
def program(llmbatch: Program, s3: S3) -> Program:
    llmbatch.env.update(s3.env)
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    assert llmbatch("classify", "docs.jsonl", "--offline", "--sample", "3").code == 0
    return llmbatch


@pytest.mark.parametrize("folder", ["", "2026/11", "a b#1?/"])
def test_outputs_are_written_to_a_folder_of_a_bucket(program: Program, s3: S3, folder: str) -> None:
    done = program("export", RUN, "--out", s3.url(folder))
    assert done.code == 0, done.err
    names = ["failed.jsonl", "results.jsonl", "review.jsonl", "sample.jsonl"]
    keys = [f"{folder.rstrip('/')}/{name}".lstrip("/") for name in names]
    assert s3.keys() == keys
    assert sorted(done.out.splitlines()) == [s3.url(key) for key in keys]
    here = program.folder / RUN
    assert [s3.get(key) for key in keys] == [(here / name).read_bytes() for name in names]
    assert program("export", RUN, "-o", s3.url(folder), "-f", "csv").code == 0
    assert len(s3.keys()) == 8


def test_outputs_replace_the_earlier_ones(program: Program, s3: S3) -> None:
    for name in ("results.jsonl", "sample.jsonl", "other.jsonl"):
        s3.put(f"out/{name}", b"old\n")
    write_rows(program.folder / "more.jsonl", documents(3))
    assert program("classify", "more.jsonl", "--offline").code == 0
    assert program("export", "more.offline.llmbatch", "-o", s3.url("out")).code == 0
    assert s3.keys() == ["out/failed.jsonl", "out/other.jsonl", "out/results.jsonl", "out/review.jsonl"]
    assert len([json.loads(line) for line in s3.get("out/results.jsonl").splitlines()]) == 3


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("s3://no-such-bucket/out", "no such bucket"),
        ("s3://", "no bucket in the address"),
        ("hf://datasets/ann/mails", "files cannot be uploaded there"),
        ("https://host/out", "files cannot be uploaded there"),
    ],
)
def test_a_bucket_that_cannot_be_written_is_a_one_line_error(program: Program, out: str, message: str) -> None:
    done = program("export", RUN, "--out", out)
    assert (done.code, message in " ".join(done.err.split()), done.out) == (2, True, ""), done.err
    assert sorted(path.name for path in program.folder.iterdir()) == ["docs.jsonl", RUN]


def test_a_run_folder_must_be_on_a_disk(program: Program, s3: S3) -> None:
    for command in (
        ("classify", "docs.jsonl", "--offline"),
        ("compare", "docs.jsonl", "--offline", "-m", "a", "-m", "b"),
    ):
        done = program(*command, "--out", s3.url("run"))
        assert (done.code, f"{s3.url('run')}: a run folder must be on a disk" in " ".join(done.err.split())) == (
            2,
            True,
        ), done.err
    assert sorted(path.name for path in program.folder.iterdir()) == ["docs.jsonl", RUN]
