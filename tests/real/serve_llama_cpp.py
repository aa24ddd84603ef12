"""llama.cpp's own server on loopback: `serve_llama_cpp.py MODEL.gguf SLOTS [embeddings]`. Prints its address.

It exits when its stdin closes. Each slot has a window of 8,192 tokens, 512 per embedding batch; the key is
sk-llama-test, the model's name is tiny. Needs the package xllamacpp.
"""

# mypy: ignore-errors

import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.port = 0
parameters.n_parallel = int(sys.argv[2])
parameters.n_ctx = 8192 * parameters.n_parallel
parameters.api_keys = ["sk-llama-test"]
parameters.model_alias = {"tiny"}
parameters.use_jinja = True
parameters.warmup = False
parameters.n_gpu_layers = 0
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
if "embeddings" in sys.argv[3:]:
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(parameters)
sys.stdout.write(f"{server.listening_address}\n")
sys.stdout.flush()
sys.stdin.read()
