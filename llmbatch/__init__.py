"""Label documents with an LLM, in bulk and unattended.

from llmbatch import classify

run = classify(["The invoice is overdue.", "The API returns 500."], offline=True)
for result in run:
    print(result.id, result.category, result.confidence)
"""

TYPE_CHECKING = False  # as typing has it; an import here would come before __main__ can mend the module path
if TYPE_CHECKING:
    from llmbatch import errors
    from llmbatch.api import (
        AskingOptions,
        Evaluation,
        Label,
        Labeler,
        Observer,
        Options,
        Result,
        RetryPolicy,
        ReviewItem,
        Run,
        StopHandle,
        Summary,
        aclassify,
        classify,
    )

__version__ = "0.1.0"
__all__ = [
    "AskingOptions",
    "Evaluation",
    "Label",
    "Labeler",
    "Observer",
    "Options",
    "Result",
    "RetryPolicy",
    "ReviewItem",
    "Run",
    "StopHandle",
    "Summary",
    "__version__",
    "aclassify",
    "classify",
    "errors",
]


def __getattr__(name: str) -> object:
    """Load the API when it is first asked for, so that the command line starts without it."""
    if name in __all__:
        from llmbatch import api  # noqa: PLC0415 - the point of it

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
