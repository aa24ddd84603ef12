"""Whether two sets of answers differ: two arms of a run, or a run and an earlier one. Pure functions on ledger lines.

`profile` sums up lines, `significance` holds the tests, `shifts` says what has changed. The pipeline imports from here.
"""
