"""Output for machines: logs, a metrics file, OpenTelemetry. Each back-end is one `Observer` in a file of its own.

Depends on plain data only. docs/reference/observability.md lists what is sent. No back-end receives a document's text
or a key.
"""
