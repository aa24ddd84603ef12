"""Packed rows: several short documents in one request, which pay for the prompt together."""
