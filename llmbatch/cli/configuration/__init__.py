"""Configuration files: where one is found, what it may set, and which of its tables apply."""
