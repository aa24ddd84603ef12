"""Runs as pages for people: HTML files that work offline. Gathered in two passes with flat memory, then drawn.

`story`, `attention`, `correctness` and `matrix` gather, `charts` and `panels` draw, `page` puts one run together and
`trends` several, `html` writes. Knows ledger lines, outcomes, evaluations and the summary.
"""
