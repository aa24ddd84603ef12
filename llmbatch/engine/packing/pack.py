"""Rows that share a request: one state for the request, whose usage is divided among the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from msgspec.structs import replace

from llmbatch.core.sent import Sent
from llmbatch.engine.packing.shares import shared_usage, shares
from llmbatch.engine.row_state import RowState
from llmbatch.task.packed_prompt import before_last


@dataclass(slots=True)
class PackState(RowState):
    """A pack in flight. Its request is that of its last row, with all other rows' documents before that row's own."""

    members: tuple[RowState, ...] = ()
    weights: tuple[int, ...] = ()
    """Weight of each row in the pack's usage."""

    def sent(self, nanousd: int, *, ended: bool = False, billed: bool = True) -> tuple[Sent, ...]:
        """A record for each row, with its share, so that each is known individually after a kill."""
        return tuple(
            Sent(member.key, member.attempts.sends + self.attempts.sends, share, ended, billed)
            for member, share in zip(self.members, shares(nanousd, self.weights), strict=True)
        )

    def share_out(self) -> None:
        """Charge the pack's usage to its rows, after its last request has ended."""
        sends, usages = self.attempts.sends, shared_usage(self.bill.usage, self.weights)
        for place, (member, usage) in enumerate(zip(self.members, usages, strict=True)):
            if self.completion is not None:
                member.completion = replace(self.completion, content=None, usage=None, logprobs=None)
            if sends and not member.attempts.sends:
                member.started_at, member.started = self.started_at, self.started
            member.bill.usage += usage
            for flag in self.bill.flags:
                member.bill.flag(flag)
            member.attempts.sends += sends
            member.shared_sends += sends if place else 0
            member.retries += self.retries
            member.last_sends = self.last_sends[place : place + 1]


def packed(members: Sequence[RowState], *, prefix: str, room: int) -> PackState:
    """A pack of two rows or more, in this order.

    Args:
        members: the rows.
        prefix: each row is charged for an equal part of it, in addition to its own document.
        room: output limit of the answer.
    """
    last = members[-1]
    return PackState(
        row=last.row,
        key=last.key,
        before=before_last([member.row.text for member in members]),
        room=room,
        members=tuple(members),
        weights=tuple(len(prefix) + len(members) * (1 + len(member.row.text)) for member in members),
    )


def place_in_pack(key: str, *, seed: int, turn: int) -> bytes:
    """The sort key for a pack's rows, which does not depend on their positions in the input.

    Args:
        key: the row's key.
        seed: seed of the order.
        turn: how often the row was sent in packs before, so that its position changes.
    """
    return blake2b(f"{seed}/{turn}/{key}".encode(), digest_size=8).digest()
