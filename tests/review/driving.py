"""The review application, run without a terminal."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from llmbatch.review.app.application import ReviewApp, Setting
from llmbatch.review.claims import Claims
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.review.session import ReviewSession
from llmbatch.task.fields import Label
from llmbatch.task.label_space import plain_space

Steps = Callable[[Pilot[None], Callable[[str], str]], Awaitable[None]]


def drive(
    run: Path, steps: Steps, *, size: tuple[int, int] = (80, 24), more: Sequence[Label] = (), is_light: bool = False
) -> None:
    """Run the application over a run folder and let `steps` press keys and read parts of the screen.

    `more`: labels to add to those of the task.
    """

    async def driven() -> None:
        with opened(run) as review, closing(make_queue(review, Choice())) as queue, closing(Claims(run)) as claims:
            session = ReviewSession(
                queue, review.decisions, reviewer="ana", claims=claims, clock=lambda: "2026-11-25T12:00:00Z"
            )
            task = review.record.task
            space = plain_space([*more, *task.labels]) if more else task.label_space
            setting = Setting("docs.llmbatch", task.name, space, of_sample=False, is_light=is_light)
            app = ReviewApp(session, setting)
            app.animation_level = "none"  # tests look at the final screen, however busy the machine

            def read(part: str) -> str:
                return str(app.screen.query_one(f"#{part}", Static).render())

            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                await steps(pilot, read)

    asyncio.run(driven())
