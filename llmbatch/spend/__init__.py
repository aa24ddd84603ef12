"""What is spent, over all runs and processes of a user: the store, leases on a day's cap, alerts, reports.

Imports plain data only; what a run folder holds is passed in.
"""
