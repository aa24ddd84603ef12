"""What a new decision makes of what stands: pure functions, called while no other reviewer can write."""

from dataclasses import replace

from llmbatch.decisions.line import Decision, Standing


def decided(mine: Decision, *, seen: Decision | None, now: Decision | None) -> Decision:
    """The line for a decision of mine.

    Args:
        mine: what I decide, by what I have before my eyes.
        seen: what stood when I looked at the row.
        now: what stands by now.

    Who decides what he sees settles it. What others decided in the meantime is not overwritten: where it differs,
    both stand against each other.
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
