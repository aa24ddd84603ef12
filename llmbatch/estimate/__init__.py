"""Estimates what a run will cost and how long it will take, before anything is spent: pure arithmetic over counts.

May import plain data: prices, usage, money. Reading inputs and ledgers is left to the pipeline.
"""
