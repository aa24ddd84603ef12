"""`python -m llmbatch.tokens`: a JSON array of texts on standard input to an array of their token counts."""

import json
import sys

from llmbatch.tokens.o200k import count_tokens

if __name__ == "__main__":
    json.dump([count_tokens(text) for text in json.load(sys.stdin)], sys.stdout)
