"""Benchmarks: the whole program beside baselines, in one run on one machine. `make bench` runs them all.

| file | measures |
| --- | --- |
| `speed.py` | rows a second beside a plain SDK loop and a bare HTTP client |
| `memory.py` | peak memory by number of rows |
| `start_up.py` | `--help`, and a run of the 60 sample documents |
| `resume.py` | a run whose rows are finished: until a new row is asked, and until the views are written |
| `pacing.py` | how much of a rate limit is used; by itself, since it takes minutes |

`processes.py` runs and accounts, `inputs.py` makes rows and finished runs, `baselines.py` and `static_endpoint.py` are
what llmbatch is measured beside and against.
"""
