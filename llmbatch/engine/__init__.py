"""Rows in, outcomes out, without a file: which rows are sent, when, at what cost, and what their answers mean."""
