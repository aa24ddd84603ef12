"""The run folder's source of truth: one line per finished row, the log of requests sent, and the lock for both.

Everything else in a run folder is derived from it and the input. Nothing here depends on models or screens.
"""
