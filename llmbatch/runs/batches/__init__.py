"""A run's batches: which of its parts are at the provider, and their files."""
