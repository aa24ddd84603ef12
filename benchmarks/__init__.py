"""Benchmarks: the whole program beside baselines, in one run on one machine. `make bench` runs them all."""
