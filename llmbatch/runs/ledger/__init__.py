"""The run folder's truth: one line a finished row, what was sent before it, and the lock around both.

Everything else in a run folder is made from here and the input. Nothing here knows of models or screens.
"""
