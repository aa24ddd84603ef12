"""The run: rows in, ledger lines out. Reads top-down as a row travels.

plan (what is asked) -> feed (rows off the loop) -> engine (which rows, how many at once) -> asker (one row) ->
ledger -> run (a session from lock to views). Imports the parts; only the command line and the API import it.
"""
