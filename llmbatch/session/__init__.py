"""The run: rows in, ledger lines out. Reads top-down as a row travels.

run (a folder from the outside) -> session (from lock to summary; opening: its ledger) -> under_way (the loop) ->
assembly (the parts put together) -> intake, feed (rows, off the loop) -> engine (which rows, how many at once) -> arms
(by which prompt and model) -> asker (one row) -> sender (one attempt) -> ledger.

`pacing/` says when a request may leave, `money/` what it may cost, `trial/` what is tried beside the run's own plan,
`studies/` looks at runs from outside. Imports the parts; only the command line and the API import it.
"""
