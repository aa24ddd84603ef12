"""After a kill, what may have been billed is known."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from llmbatch.core.checksum import seal
from llmbatch.core.errors import UsageError
from llmbatch.core.sent import Sent
from llmbatch.runs.ledger.sent import Damage, SentLog


def test_a_session_that_ended_cleanly_leaves_nothing(tmp_path: Path) -> None:
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
    assert left.unsettled({"a" * 32: 2}) == (sends[2],)


def test_a_torn_last_line_counts_as_a_request(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "then")
    log.record(Sent("a" * 32, 1, 5))
    with (tmp_path / "sent.log").open("ab") as file:
        file.write(b'{"format":2,"key":"bb')
    left = SentLog(tmp_path / "sent.log").leftovers()
    assert left is not None
    assert ([sent.key for sent in left.sends], left.damage) == (["a" * 32], Damage(1, 5))


def test_it_is_private_to_the_user(tmp_path: Path) -> None:
    SentLog(tmp_path / "sent.log").begin(0, "then")
    assert (tmp_path / "sent.log").stat().st_mode & 0o777 == 0o600


JUNK = st.binary(max_size=60).filter(lambda junk: not junk[:1].isdigit())
"""A digit behind `{"format":2` would make a line of a later version of it, and those are refused."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), junk=JUNK)
def test_truncated_anywhere_it_yields_the_complete_sends(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("sent") / "sent.log"
    log = SentLog(path)
    log.begin(7, "then")
    sends = tuple(Sent(f"{n:032x}", 1, n) for n in range(4))
    for sent in sends:
        log.record(sent)
    whole = path.read_bytes()[:cut]
    path.write_bytes(whole + junk)
    left = SentLog(path).leftovers()
    lines = max(whole.count(b"\n") - 2, 0)
    if whole.count(b"\n"):
        assert left is not None
        assert left.sends[:lines] == sends[:lines]
        assert len(left.sends) + left.damage.requests >= -(-max(len(whole) - _beginning(path), 0) // _longest(sends))


def _beginning(path: Path) -> int:
    log = SentLog(path.with_name("other.log"))
    log.begin(7, "then")
    return path.with_name("other.log").stat().st_size


def _longest(sends: tuple[Sent, ...]) -> int:
    return max(len(seal(encode(sent))) for sent in sends)


def test_no_flipped_bit_lowers_what_may_have_been_billed(tmp_path: Path) -> None:
    path = tmp_path / "sent.log"
    log = SentLog(path)
    log.begin(7, "then")
    refused = Sent("b" * 32, 1, 0, ended=True, billed=False)
    for sent in (Sent("a" * 32, 1, 40_000), Sent("b" * 32, 1, 40_000), refused, Sent("c" * 32, 1, 40_000)):
        log.record(sent)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        left = SentLog(path).leftovers()
        assert left is not None
        assert left.started_at == "then"
        assert left.ledger_offset == 7
        at_most = sum(sent.at_most_nanousd for sent in left.unsettled({})) + left.damage.at_most_nanousd
        assert at_most >= 80_000, place
        whole_but_beginning = left.damage.requests == 0 and left.sends == (
            Sent("a" * 32, 1, 40_000),
            refused,
            Sent("c" * 32, 1, 40_000),
        )
        assert whole_but_beginning or left.damage.requests, place


def test_a_single_damaged_line_counts_with_the_most_it_can_have_contained(tmp_path: Path) -> None:
    path = tmp_path / "sent.log"
    log = SentLog(path)
    log.begin(7, "then")
    log.record(Sent("a" * 32, 1, 40_000))
    path.write_bytes(path.read_bytes().replace(b"40000", b"10000"))
    left = SentLog(path).leftovers()
    assert left is not None
    assert left.damage == Damage(1, 99_999)


def test_in_a_file_without_its_header_no_send_counts_as_ended(tmp_path: Path) -> None:
    path = tmp_path / "sent.log"
    log = SentLog(path)
    log.begin(7, "then")
    log.record(Sent("a" * 32, 1, 5))
    path.write_bytes(path.read_bytes().replace(b'"ledger_offset":7', b'"ledger_offset":8'))
    left = SentLog(path).leftovers()
    assert left is not None
    assert (left.ledger_offset, left.sends, left.damage) == (None, (Sent("a" * 32, 1, 5),), Damage())


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sent.log"
    path.write_bytes(
        b'{"ledger_offset":7,"started_at":"then","came_to":{}}\n'
        b'{"key":"%b","attempt":1,"at_most_nusd":5,"ended":false,"billed":true}\n' % (b"a" * 32)
    )
    left = SentLog(path).leftovers()
    assert left is not None
    assert (left.ledger_offset, left.sends, left.damage) == (7, (Sent("a" * 32, 1, 5),), Damage())


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sent.log"
    path.write_bytes(seal(b'{"format":3,"ledger_offset":7}'))
    with pytest.raises(UsageError, match="newer"):
        SentLog(path).leftovers()


@pytest.mark.parametrize(
    "line",
    [b"null", b"[]", b"7", b'{"key": 1, "attempt": 1, "at_most_nusd": 1}', b'{"key": "a"}', b"\x00" * 40, b'{"x": 1}'],
)
def test_an_invalid_line_counts_as_a_send(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "sent.log"
    SentLog(path).begin(7, "then")
    path.write_bytes(path.read_bytes() + line + b"\n")
    left = SentLog(path).leftovers()
    assert left is not None
    assert (left.sends, left.damage.requests) == ((), 1)


def test_a_requests_actual_cost_replaces_its_reservation(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "then")
    refused, answered, session_loop = ("a" * 32, 1), ("a" * 32, 2), ("a" * 32, 3)
    log.record(Sent(*refused, 9))
    log.record(Sent(*refused, 0, ended=True, billed=False))
    log.record(Sent(*answered, 9))
    log.record(Sent(*answered, 2, ended=True))
    log.record(Sent(*session_loop, 9))
    left = SentLog(tmp_path / "sent.log").leftovers()
    assert left is not None
    assert left.unsettled({}) == (Sent(*answered, 2, ended=True), Sent(*session_loop, 9))


def test_a_line_of_one_model_does_not_settle_requests_to_the_next(tmp_path: Path) -> None:
    """A doubtful answer has its line; a request to the stronger model for the same row was in flight at the kill."""
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "then")
    for at_most in (5, 70):
        log.record(Sent("a" * 32, 1, at_most))
    left = SentLog(tmp_path / "sent.log").leftovers()
    assert left is not None
    assert left.unsettled({"a" * 32: 1}) == (Sent("a" * 32, 1, 70),)


def test_rewriting_leaves_out_sends_that_have_an_outcome(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "then")
    done, waits = Sent("a" * 32, 1, 5), Sent("b" * 32, 1, 5, ended=True, billed=False)
    for sent in (done, Sent("b" * 32, 1, 5), waits, Sent("b" * 32, 2, 5)):
        log.record(sent)
    log.settle(done.key, 1)
    log.begin_again(600, {"2026-11-24": {"rows": 1}})
    log.record(Sent("c" * 32, 1, 9))
    left = SentLog(tmp_path / "sent.log").leftovers()
    assert left is not None
    assert (left.ledger_offset, left.started_at, left.came_to) == (600, "then", {"2026-11-24": {"rows": 1}})
    assert left.sends == (waits, Sent("b" * 32, 2, 5), Sent("c" * 32, 1, 9))
    assert [path.name for path in tmp_path.iterdir()] == ["sent.log"]


def _steps(key: str, arms: list[tuple[int, bool]]) -> list[Sent | int]:
    """What is written about a row: each arm's sends, the outcomes of failed ones, and its line's attempts."""
    steps: list[Sent | int] = []
    for attempts, billed in arms:
        for attempt in range(1, attempts + 1):
            steps.append(Sent(key, attempt, 7))
            if attempt < attempts:
                steps.append(Sent(key, attempt, 3, ended=True, billed=billed))
        steps.append(attempts)
    return steps


def _lost(path: Path, recorded: list[tuple[str, int]]) -> list[Sent]:
    left, settled = SentLog(path).leftovers(), Counter[str]()
    assert left is not None
    for key, attempts in recorded:
        settled[key] += attempts
    return sorted(left.unsettled(settled), key=lambda sent: (sent.key, sent.attempt))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_possibly_billed_sends_are_the_same_however_often_the_log_is_rewritten(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sent")
    plain, again = SentLog(folder / "plain.log"), SentLog(folder / "again.log")
    plain.begin(0, "then")
    again.begin(0, "then")
    arms = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=2)
    rows = {key: _steps(key, data.draw(arms)) for key in ("a" * 32, "b" * 32)}
    recorded: list[tuple[str, int]] = []
    offset = 0
    for _ in range(data.draw(st.integers(0, 12))):
        if data.draw(st.integers(0, 3)) == 0:
            again.begin_again(len(recorded), {})
            offset = len(recorded)
        if not (unfinished := [key for key, steps in rows.items() if steps]):
            break
        key = data.draw(st.sampled_from(unfinished))
        step = rows[key].pop(0)
        if isinstance(step, Sent):
            for log in (plain, again):
                log.record(step)
        else:
            recorded.append((key, step))
            again.settle(key, step)
    assert _lost(folder / "again.log", recorded[offset:]) == _lost(folder / "plain.log", recorded)
