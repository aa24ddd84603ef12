"""A run as seen by machines: logs, a metrics file, OpenTelemetry. Each back-end is one `Observer` in a file of its own.

Knows plain data only. What is sent is catalogued in docs/observability.md. No back-end gets a document's text or a key.
"""
