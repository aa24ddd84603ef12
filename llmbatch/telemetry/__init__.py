"""A run as seen by machines: logs, a metrics file, OpenTelemetry. Each back-end is one `Observer` in a file of its own.

Knows plain data only. docs/reference/observability.md lists what is sent. No back-end gets a document's text or a key.
"""
