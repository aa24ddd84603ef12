"""Spending over all runs and processes of a user: the store, leases on a day's cap, alerts, reports.

Imports plain data only; the contents of run folders are passed in.
"""
