"""A watched folder: files are labelled as they arrive, in one run folder, until a signal arrives."""

import signal

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import (
    Program,
    accounted,
    documents,
    ledger_lines,
    views,
    wait_until,
    write_rows,
)


def test_files_are_labelled_as_they_arrive(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    inbox, run = llmbatch.folder / "inbox", llmbatch.folder / "inbox.llmbatch"
    inbox.mkdir()
    rows = documents(9)
    options = ("--settle", "0.05", "--base-url", server.url, "--review-below", "0")
    process = llmbatch.start("watch", "inbox", *options)
    for number in range(3):
        (inbox / "notes.txt").touch()
        write_rows(inbox / f"{number}.jsonl", rows[number * 3 : number * 3 + 3])
        wait_until(lambda: ledger_lines(run) % 3 == 0 and ledger_lines(run) > 0, process)
    wait_until(lambda: len(views(run)["results"]) == 9, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 143), err
    assert process.returncode == 143 or "no longer watching" in err
    assert "Traceback" not in err
    assert accounted(run) == list(range(9))
    assert server.requests == 9, "nothing is paid for twice"


def test_a_limit_ends_the_watch(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "inbox.jsonl", documents(1))
    inbox = llmbatch.folder / "inbox"
    inbox.mkdir()
    write_rows(inbox / "a.jsonl", documents(3))
    server = endpoint("--fault", "auth@1+")
    done = llmbatch("watch", "inbox", "--settle", "0.05", "--base-url", server.url)
    assert done.code == 4, done.err


def test_an_option_classify_does_not_have_is_refused_before_a_file_arrives(llmbatch: Program) -> None:
    (llmbatch.folder / "inbox").mkdir()
    done = llmbatch("watch", "inbox", "--settle", "0.05", "--offlin")
    assert done.code == 2
    assert "--offlin" in done.err
