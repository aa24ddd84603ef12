"""The SDK is loaded without its answer types, and its users notice no difference."""

import subprocess
import sys

SEEN_FROM_OUTSIDE = """
import sys
from llmbatch.provider.sdk import load_sdk
load_sdk()
loaded = sum(name.startswith("openai.types.") for name in sys.modules)
assert loaded < 200, loaded

import openai
from openai.types.responses import *
from openai.types.chat import ChatCompletion
assert Response is openai.types.responses.Response
assert ChatCompletion is openai.types.chat.ChatCompletion
assert openai.types.Batch.__module__ == "openai.types.batch"
assert openai.OpenAI(api_key="x").chat.completions.create
try:
    openai.types.Nothing
except AttributeError as error:
    print(error)
"""


def test_deferred_types_are_available_when_looked_up() -> None:
    done = subprocess.run([sys.executable, "-c", SEEN_FROM_OUTSIDE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "module 'openai.types' has no attribute 'Nothing'\n"), done.stderr
