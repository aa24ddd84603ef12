"""One session on a run folder, from its lock to its summary.

run (a folder from the outside) -> session (under the lock) -> session_loop (the engine and everything that runs
concurrently with it, on one event loop). In addition: spending and its settlement, signals and the stop handle, rolling
outputs, rejections, the summary. Only analysis, the command line and the API import it.
"""
