"""Run by a Python with ray[data], daft and pyspark: `run_recipe.py RECIPE.py`, with all listeners on loopback."""

import os
import runpy
import sys
from importlib import import_module
from pathlib import Path

os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
if __name__ == "__main__":
    if "import ray" in Path(sys.argv[1]).read_text():
        import_module("ray").init(
            num_cpus=4, _node_ip_address="127.0.0.1", include_dashboard=False, logging_level="error"
        )
    runpy.run_path(sys.argv[1], run_name="__main__")
