"""A screen that shows nothing."""

from types import TracebackType
from typing import Self

from llmbatch.progress import Progress


class QuietScreen:
    """For `--quiet`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def update(self, progress: Progress) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Say nothing."""
