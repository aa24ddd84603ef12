"""Whether two sets of answers differ: two arms of a run, or a run and an earlier one. Pure functions on ledger lines.

`profile` summarises lines, `significance` has the tests, `shifts` reports what has changed. The pipeline imports from
here.
"""
