"""What a new decision makes of what stands, and what of it still holds: pure functions.

What makes lines is called while no other reviewer can write.
"""

import hashlib
from collections.abc import Container, Iterable
from dataclasses import astuple, replace

from llmbatch.core.jsonlines import dump_line
from llmbatch.runs.decisions.line import Decision, Standing


def held(decision: Decision, labels: Container[str]) -> Decision:
    """What of a decision still holds by a task's labels: a label that the task no longer has does not count."""
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
    """The line for a decision of mine.

    Args:
        mine: what I decide, by what I have before my eyes.
        seen: what stood when I looked at the row.
        now: what stands by now.

    A reviewer's decision overrides the ones they had seen. What others decided in the meantime is not overwritten:
    where it differs, the two are in conflict.
    """
    if now is None or now == seen:
        return mine
    others = [standing for standing in now.standings if standing.reviewer != mine.reviewer]
    differing = tuple(standing for standing in others if standing.category != mine.category)
    return replace(mine, against=differing)


def noted(note: str | None, *, undecided: Decision, now: Decision | None) -> Decision:
    """What stands, with another note; `undecided` where nothing stands yet."""
    return replace(now or undecided, note=note)


def as_it_stood(mine: Decision, before: Decision | None, *, now: Decision | None) -> Decision | None:
    """The line that takes a decision of mine back, or None where another has decided since, knowing mine.

    Args:
        mine: the line that was written.
        before: what stood before it.
        now: what stands by now.
    """
    if now is None or now == mine:
        return before or replace(mine, category=None, note=None, against=())
    own = Standing(mine.category or "", mine.reviewer, mine.decided_at)
    if own in now.against:
        return replace(now, against=tuple(standing for standing in now.against if standing != own))
    return None


def mark_of(standing: Decision | None) -> str:
    """Names what stands, by which a later decision says what its reviewer saw; empty if there is no decision."""
    if standing is None or not standing.standings:
        return ""
    digest = hashlib.blake2b(dump_line([astuple(one) for one in standing.standings]), digest_size=8).hexdigest()
    return f"s{digest}"  # a letter first: spreadsheets take digits with an e among them for a number


def last_said(lines: Iterable[Decision], reviewer: str) -> str | None:
    """The label that a reviewer gave a text last and has not taken back, whatever others decided since.

    Args:
        lines: all lines about the text, in the log's order.
        reviewer: whose.
    """
    before: list[Decision] = []
    said: list[str | None] = []
    for line in lines:
        if line in before:  # someone took a decision back: it is as it was
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
