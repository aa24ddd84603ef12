"""How thorough the tests are."""

import os

IS_TORTURE = "LLMBATCH_TORTURE" in os.environ
"""Whether there is time for everything, as in `make torture`; the suite tries some of it."""
