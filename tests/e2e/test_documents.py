"""A folder of documents as an input: its ids, and what is reported when its files change."""

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, views


def test_a_folder_of_documents_is_labelled_once_and_its_changes_are_reported(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    folder, run = llmbatch.folder / "notes", llmbatch.folder / "notes.llmbatch"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.txt", "b.md", "sub/c.html"):
        (folder / name).write_text(f"The server in {name} returns an error.")
    (folder / "bad.txt").write_bytes(b"\xff")
    command = ("classify", "notes", "--base-url", server.url, "--review-below", "0", "--json")
    first = llmbatch(*command)
    assert (first.code, first.json["input_changes"], server.requests) == (3, [], 3)
    assert [row["id"] for row in views(run)["results"]] == ["a.txt", "b.md", "sub/c.html"]
    (failed,) = views(run)["failed"]
    assert (failed["id"], failed["error"]["kind"], failed["error"]["file"]) == (
        "bad.txt",
        "bad_encoding",
        "notes/bad.txt",
    )

    (folder / "aa.txt").write_text("A new one.")
    (folder / "bad.txt").unlink()
    gone = llmbatch(*command)
    assert (gone.code, gone.json["input_changes"][0]["change"], server.requests) == (3, "shrank", 4)
    (folder / "0.txt").write_text("Another new one.")
    new = llmbatch(*command)
    assert (new.code, new.json["input_changes"], server.requests) == (0, [], 5)
    (folder / "0.txt").write_text("An edited one.")
    edited = llmbatch(*command)
    assert (edited.json["input_changes"][0]["change"], server.requests) == ("changed", 6)
    assert llmbatch("export", "notes.llmbatch").code == 0
    assert len(views(run)["results"]) == 5


def test_a_run_over_a_pattern_of_documents_can_be_exported_from_another_folder(llmbatch: Program) -> None:
    (llmbatch.folder / "notes").mkdir()
    for name in ("a.txt", "b.txt", "c.md"):
        (llmbatch.folder / "notes" / name).write_text(f"The server in {name} returns an error.")
    assert llmbatch("classify", "notes/*.txt", "--offline", "--review-below", "0").code == 0
    (run,) = llmbatch.folder.rglob("*.llmbatch")
    before = views(run)["results"]
    (llmbatch.folder / "elsewhere").mkdir()
    assert Program(llmbatch.folder / "elsewhere")("export", run).code == 0
    assert views(run)["results"] == before
    assert [row["id"] for row in before] == ["a.txt", "b.txt"]


def test_a_folder_in_a_stranger_s_run_folder_is_not_followed(llmbatch: Program) -> None:
    folder = llmbatch.folder / "run" / "notes"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("The server is down.")
    assert llmbatch("classify", "run/notes", "--offline", "--out", "run").code in (0, 3)
    moved = llmbatch("export", "run", XDG_STATE_HOME=str(llmbatch.folder / "another_state"))
    assert (moved.code, "--input FILE" in moved.err) == (2, True)
