"""Label documents with an LLM, in bulk and unattended."""

__version__ = "0.1.0"
