"""How a new decision combines with existing ones, and which ones still apply: pure functions.

Functions that create lines are called while no other reviewer can write.
"""

import hashlib
from collections.abc import Container, Iterable
from dataclasses import astuple, replace

from llmbatch.core.jsonlines import dump_line
from llmbatch.runs.decisions.line import Decision, Standing


def held(decision: Decision, labels: Container[str]) -> Decision:
    """The part of a decision that still applies: a label that the task no longer has does not count."""
    standings = tuple(standing for standing in decision.standings if standing.category in labels)
    if standings == decision.standings:
        return decision
    if not standings:
        return replace(decision, category=None, against=())
    first, *others = standings
    return replace(
        decision,
        category=first.category,
        reviewer=first.reviewer,
        decided_at=first.decided_at,
        against=tuple(others),
    )


def decided(mine: Decision, *, seen: Decision | None, now: Decision | None) -> Decision:
    """The line for a reviewer's decision.

    Args:
        mine: the decision, based on what the reviewer saw.
        seen: the state when the reviewer opened the row.
        now: the current state.

    A reviewer's decision overrides the ones they had seen. What others decided in the meantime is not overwritten: if
    it differs, the two are in conflict.
    """
    if now is None or now == seen:
        return mine
    others = [standing for standing in now.standings if standing.reviewer != mine.reviewer]
    differing = tuple(standing for standing in others if standing.category != mine.category)
    return replace(mine, against=differing)


def noted(note: str | None, *, undecided: Decision, now: Decision | None) -> Decision:
    """The current state with another note; `undecided` if there is none yet."""
    return replace(now or undecided, note=note)


def as_it_stood(mine: Decision, before: Decision | None, *, now: Decision | None) -> Decision | None:
    """The line that takes a reviewer's decision back, or None if another reviewer who saw it has decided since.

    Args:
        mine: the line that was written.
        before: the state before it.
        now: the current state.
    """
    if now is None or now == mine:
        return before or replace(mine, category=None, note=None, against=())
    own = Standing(mine.category or "", mine.reviewer, mine.decided_at)
    if own in now.against:
        return replace(now, against=tuple(standing for standing in now.against if standing != own))
    return None


def mark_of(standing: Decision | None) -> str:
    """An identifier of a state, with which a later decision says what its reviewer saw; empty without a decision."""
    if standing is None or not standing.standings:
        return ""
    digest = hashlib.blake2b(dump_line([astuple(one) for one in standing.standings]), digest_size=8).hexdigest()
    return f"s{digest}"  # begins with a letter: spreadsheets read digits with an e among them as a number


def last_said(lines: Iterable[Decision], reviewer: str) -> str | None:
    """The last label that a reviewer gave a text and has not taken back, whatever others decided since.

    Args:
        lines: all lines about the text, in the log's order.
        reviewer: the reviewer.
    """
    before: list[Decision] = []
    said: list[str | None] = []
    for line in lines:
        if line in before:  # someone took a decision back: the earlier state is restored
            then = before.index(line) + 1
            del before[then:], said[then:]
            continue
        latest = before[-1] if before else None
        is_same = latest is not None and (latest.reviewer, latest.decided_at) == (line.reviewer, line.decided_at)
        if line.reviewer == reviewer:
            said.append(line.category)
        elif is_same and latest is not None and _stands(latest, reviewer) and not _stands(line, reviewer):
            said.append(None)
        else:
            said.append(said[-1] if said else None)
        before.append(line)
    return said[-1] if said else None


def _stands(line: Decision, reviewer: str) -> bool:
    return any(standing.reviewer == reviewer for standing in line.standings)
