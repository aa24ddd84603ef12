"""HTML reports of runs that work offline. Data is gathered in two passes with constant memory, then drawn.

`story`, `attention`, `correctness` and `matrix` gather, `charts` and `panels` draw, `page` assembles one run and
`trends` several, `html` writes the file. Depends on ledger lines, outcomes, evaluations and the summary.
"""
