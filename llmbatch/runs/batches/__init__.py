"""A run's batches: which parts of it are at the provider, and the files that they were made of."""
