"""After a kill it is known what may have been billed."""

from pathlib import Path

from llmbatch.ledger.sent import Sent, SentLog


def test_a_session_that_ended_in_order_leaves_nothing(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "then")
    log.record(Sent("a" * 32, 1, 5))
    log.close(settled=True)
    assert SentLog(tmp_path / "sent.log").leftovers() is None


def test_sends_without_an_outcome_are_left_over(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.log")
    log.begin(77, "then")
    sends = (Sent("a" * 32, 1, 5), Sent("a" * 32, 2, 5), Sent("b" * 32, 1, 7))
    for sent in sends:
        log.record(sent)
    left = SentLog(tmp_path / "sent.log").leftovers()
    assert left is not None
    assert (77, "then", sends) == (left.ledger_offset, left.started_at, left.sends)
    assert left.unsettled({"a" * 32}) == (sends[2],)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "then")
    log.record(Sent("a" * 32, 1, 5))
    with (tmp_path / "sent.log").open("ab") as file:
        file.write(b'{"key":"bb')
    left = SentLog(tmp_path / "sent.log").leftovers()
    assert left is not None
    assert [sent.key for sent in left.sends] == ["a" * 32]


def test_it_is_private_to_the_user(tmp_path: Path) -> None:
    SentLog(tmp_path / "sent.log").begin(0, "then")
    assert (tmp_path / "sent.log").stat().st_mode & 0o777 == 0o600
