"""One request and its outcome: the body sent, the SDK's client, the answer decoded, the failure judged.

Independent of rows, files and screens. The pipeline imports from here; nothing here imports the pipeline.
"""
