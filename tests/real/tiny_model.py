"""Make a tiny Qwen2 model with random weights as a GGUF file: `tiny_model.py OUT.gguf TEXTS...`.

Its answers are meaningless; the wire format, grammar, log-probabilities, slots and errors are llama.cpp's own.
Needs the packages gguf, numpy and tokenizers.
"""

# mypy: ignore-errors

import json
import sys

import gguf
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WIDTH, INNER, LAYERS, HEADS, KEY_HEADS = 64, 128, 2, 4, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\n'}}{% endif %}"
)


def trained_tokenizer(texts: list[str]) -> tuple[list[str], list[str]]:
    """A byte-level BPE of these files: its vocabulary in order, and its merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4096, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    return tokens, [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def write_model(path: str, tokens: list[str], merges: list[str]) -> None:
    """Write the file. A constant in the residual stream makes the output prefer long tokens to white space."""
    random = np.random.default_rng(0)

    def weights(*shape: int, scale: float = 0.02) -> "np.ndarray":
        return random.normal(0, scale, shape).astype(np.float32)

    file = gguf.GGUFWriter(path, "qwen2")
    file.add_context_length(32768)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(KEY_HEADS)
    file.add_rope_freq_base(10000.0)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_file_type(0)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(tokens)
    file.add_token_types([3 if index < len(SPECIAL) else 1 for index in range(len(tokens))])
    file.add_token_merges(merges)
    file.add_eos_token_id(2)
    file.add_pad_token_id(0)
    file.add_add_bos_token(False)
    file.add_chat_template(CHAT_TEMPLATE)
    embedding, head = weights(len(tokens), WIDTH), weights(len(tokens), WIDTH)
    embedding[:, 0] = 1.0
    head[:, 0] = [-0.5 if set(token) & set("ĠĊčĉ") else 0.1 + 0.03 * len(token) for token in tokens]
    file.add_tensor("token_embd.weight", embedding)
    file.add_tensor("output.weight", head)
    file.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    narrow = WIDTH * KEY_HEADS // HEADS
    shapes = {
        "attn_q": (WIDTH, WIDTH), "attn_k": (narrow, WIDTH), "attn_v": (narrow, WIDTH), "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
    }  # fmt: skip
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            file.add_tensor(f"blk.{layer}.{name}.weight", weights(*shape, scale=0.08))
        for name, size in (("attn_q", WIDTH), ("attn_k", narrow), ("attn_v", narrow)):
            file.add_tensor(f"blk.{layer}.{name}.bias", weights(size))
        for name in ("attn_norm", "ffn_norm"):
            file.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    write_model(sys.argv[1], *trained_tokenizer(sys.argv[2:]))
