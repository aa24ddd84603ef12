"""Observers that other packages provide through an entry point `llmbatch.observers`: one is created for each run."""

from llmbatch.core.errors import UsageError
from llmbatch.core.plugins import OBSERVERS, find_plugin, plugin_names
from llmbatch.observe.observer import Observer


def plugged_observer(name: str) -> Observer:
    """A new observer of the plug-in of this name.

    Raises:
        UsageError: there is none, or it cannot be used.
    """
    plugin = find_plugin(OBSERVERS, name)
    if plugin is None:
        names = ", ".join(plugin_names(OBSERVERS))
        raise UsageError(
            f"--observer {name!r} is unknown",
            hint=f"use one of {names}" if names else "no installed package provides an observer",
        )
    with plugin.blamed():
        observer = plugin.part()
    if not isinstance(observer, Observer):
        raise plugin.failure(f"it makes a {type(observer).__name__} where an Observer is needed")
    return observer
