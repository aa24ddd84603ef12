"""Packed rows: several short documents in one request, sharing the cost of the prompt."""
