"""How a new decision changes the current one."""

from dataclasses import replace

from llmbatch.runs.decisions import Standing, as_it_stood, decided, noted
from tests.decisions.conftest import MakeDecision

ANA, BEN = Standing("legal", "ana", "2026-11-25T12:00:00Z"), Standing("other", "ben", "2026-11-25T12:00:00Z")


def test_a_decision_overrides_the_ones_that_the_reviewer_saw(make_decision: MakeDecision) -> None:
    ana = make_decision()
    conflict = make_decision(category="other", reviewer="ben", against=(ANA,))
    cem = make_decision(category="business", reviewer="cem")
    assert decided(cem, seen=ana, now=ana) == cem
    assert decided(cem, seen=conflict, now=conflict).is_settled


def test_a_decision_that_the_reviewer_did_not_see_is_kept_as_a_conflict(make_decision: MakeDecision) -> None:
    ana, ben = make_decision(), make_decision(category="other", reviewer="ben")
    line = decided(ben, seen=None, now=ana)
    assert (line.category, line.against, line.is_settled) == ("other", (ANA,), False)
    third = decided(make_decision(category="business", reviewer="cem"), seen=None, now=line)
    assert third.against == (BEN, ANA)


def test_the_same_label_twice_is_not_a_conflict(make_decision: MakeDecision) -> None:
    assert decided(make_decision(reviewer="ben"), seen=None, now=make_decision()).is_settled


def test_one_reviewer_in_two_windows_causes_no_conflict(make_decision: MakeDecision) -> None:
    assert decided(make_decision(category="other"), seen=None, now=make_decision()).is_settled


def test_a_note_changes_nothing_else(make_decision: MakeDecision) -> None:
    ana = make_decision()
    undecided = make_decision(category=None, reviewer="ben")
    assert noted("why?", undecided=undecided, now=ana) == replace(ana, note="why?")
    assert noted("why?", undecided=undecided, now=None) == replace(undecided, note="why?")


def test_undo_restores_the_previous_decision(make_decision: MakeDecision) -> None:
    mine, before = make_decision(category="other", note="n"), make_decision(reviewer="ben")
    assert as_it_stood(mine, before, now=mine) == before
    assert as_it_stood(mine, None, now=mine) == make_decision(category=None)


def test_undo_removes_the_conflict_that_the_decision_caused(make_decision: MakeDecision) -> None:
    ana = make_decision()
    ben = make_decision(category="other", reviewer="ben", against=(ANA,))
    assert as_it_stood(ana, None, now=ben) == replace(ben, against=())
    assert as_it_stood(ben, ana, now=ben) == ana


def test_a_later_decision_that_overrode_mine_is_not_undone(make_decision: MakeDecision) -> None:
    assert as_it_stood(make_decision(), None, now=make_decision(category="other", reviewer="ben")) is None
