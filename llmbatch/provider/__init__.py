"""One request and its outcome: the body sent, the SDK's client, the answer decoded, the failure judged.

Knows nothing of rows, files or screens. The pipeline imports from here; nothing here imports the pipeline.
"""
