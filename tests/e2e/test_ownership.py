"""A run folder belongs to its inputs, and holds real answers or simulated ones, never both."""

import shutil
from pathlib import Path

import pytest

from llmbatch import classify
from llmbatch.core.errors import UsageError
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, views, write_rows


def _kept(folder: Path) -> dict[str, bytes]:
    """The files below a folder and their content, without the lock, which names its last holder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_rehearsal_changes_no_real_answer(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(4))
    real = llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--json").json
    before = _kept(llmbatch.folder / "docs.llmbatch")
    simulated = llmbatch("classify", "docs.jsonl", "--offline", "--json").json
    assert (real["folder"], simulated["folder"]) == ("docs.llmbatch", "docs.offline.llmbatch")
    assert _kept(llmbatch.folder / "docs.llmbatch") == before


@pytest.mark.parametrize("first", ["simulated", "real"])
def test_real_and_simulated_answers_never_share_a_folder(
    llmbatch: Program, endpoint: StartEndpoint, first: str
) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(4))
    ways = {"simulated": ["--offline"], "real": ["--base-url", server.url]}
    assert llmbatch("classify", "docs.jsonl", "--out", "run", *ways.pop(first)).code == 0
    (other,) = ways.values()
    before, requests = _kept(llmbatch.folder / "run"), server.requests
    for command in ("classify", "estimate"):
        done = llmbatch(command, "docs.jsonl", "--out", "run", *other)
        assert (done.code, "simulated" in done.err, "--out" in done.err) == (2, True, True), done.err
    if first == "real":
        assert llmbatch("retry", "run", "--offline").code == 2
    baseline = llmbatch("classify", "docs.jsonl", "--out", "other", "--baseline", "run", *other)
    assert (baseline.code, "run holds" in baseline.err) == (2, True), baseline.err
    assert (_kept(llmbatch.folder / "run"), server.requests) == (before, requests)


def test_the_api_refuses_to_mix_them_before_it_writes_documents(tmp_path: Path, endpoint: StartEndpoint) -> None:
    classify(["An invoice."], base_url=endpoint().url, out=tmp_path / "run")
    before = _kept(tmp_path / "run")
    with pytest.raises(UsageError, match="holds real answers"):
        classify(["A court."], offline=True, out=tmp_path / "run")
    assert _kept(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (["s.csv"], ["s.tsv"]),
        (["s.csv"], ["s"]),
        (["s.csv"], ["s.csv", "s.tsv"]),
        (["s.csv", "s.tsv"], ["s.csv"]),
        (["s/*.csv"], ["s/a.csv", "s/b.csv", "s.csv"]),
    ],
)
def test_another_input_of_the_same_stem_replaces_nothing(
    llmbatch: Program, endpoint: StartEndpoint, first: list[str], other: list[str]
) -> None:
    server = endpoint()
    (llmbatch.folder / "s").mkdir()
    for name, separator in (("s.csv", ","), ("s.tsv", "\t"), ("s/a.csv", ","), ("s/b.csv", ",")):
        (llmbatch.folder / name).write_text(f"id{separator}text\n{name}{separator}An invoice of {name}.\n")
    done = llmbatch("classify", *first, "--base-url", server.url, "--json").json
    before, requests = _kept(llmbatch.folder / done["folder"]), server.requests
    own = llmbatch("classify", *other, "--base-url", server.url, "--json")
    if own.code == 0:
        assert own.json["folder"] != done["folder"]
    else:
        assert (own.code, server.requests, own.out) == (2, requests, ""), own.err
        assert "--out" in own.err
    assert _kept(llmbatch.folder / done["folder"]) == before
    chosen = llmbatch("classify", *other, "--out", done["folder"], "--base-url", server.url, "--json")
    assert (chosen.code, "held results of" in chosen.err) == (0, True), chosen.err


def test_inputs_are_the_same_under_any_name_and_wherever_they_are_moved(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    (llmbatch.folder / "a" / "in").mkdir(parents=True)
    write_rows(llmbatch.folder / "a" / "in" / "x.jsonl", documents(2))
    again = ("--base-url", server.url, "--json")
    assert llmbatch("classify", "a/in", *again).code == 0
    assert llmbatch("classify", "./a/../a/in/", *again).code == 0
    assert llmbatch("classify", llmbatch.folder / "a" / "in", *again).code == 0
    write_rows(llmbatch.folder / "a" / "in" / "y.jsonl", [{"id": "y", "text": "A new file."}])
    assert llmbatch("classify", "a/in", *again).json["session"]["answered"] == 1
    shutil.move(llmbatch.folder / "a", llmbatch.folder / "b")
    assert llmbatch("classify", "b/in", *again).code == 0
    assert server.requests == 3
    assert len(views(llmbatch.folder / "b" / "in.llmbatch")["results"]) == 3


def test_a_comparison_belongs_to_its_input_and_to_its_kind_of_answers(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "s.jsonl", documents(3))
    (llmbatch.folder / "s.csv").write_text("id,text\n1,An invoice.\n")
    models = ("--model", "gpt-6-luna", "--model", "gpt-6-sol", "--base-url", server.url, "--json")
    assert llmbatch("compare", "s.jsonl", *models).code == 0
    folder = llmbatch.folder / "s.compare.llmbatch"
    before, requests = _kept(folder), server.requests
    assert llmbatch("compare", "s.csv", *models).code == 2
    assert llmbatch("compare", "s.jsonl", *models[:4], "--offline", "--out", folder.name).code == 2
    assert (_kept(folder), server.requests) == (before, requests)
    assert llmbatch("compare", "s.jsonl", *models[:4], "--offline", "--json").json["folder"] != folder.name
    assert len(read_rows(folder / "sample.jsonl")) == 3
