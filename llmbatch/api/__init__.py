"""The Python API: the engine of the command line, for notebooks, scripts and servers."""

from llmbatch import errors
from llmbatch.analysis.evaluation import Evaluation
from llmbatch.api.calls import aclassify, classify
from llmbatch.api.labeler import Label, Labeler
from llmbatch.api.options import AskingOptions, Options
from llmbatch.api.result import Result, Run
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary
from llmbatch.provider.retry import RetryPolicy
from llmbatch.review.item import ReviewItem
from llmbatch.session.stop_handle import StopHandle

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
    "aclassify",
    "classify",
    "errors",
]
