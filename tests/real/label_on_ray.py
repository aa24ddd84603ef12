"""Run by a Python with ray[data]: `label_on_ray.py DOCS.parquet WORKERS OPTIONS` labels on its own cluster.

Prints the result as one line of JSON. OPTIONS are those of `ray_classify`, as JSON.
"""

import json
import sys
from collections import Counter
from importlib import import_module
from typing import Any

from llmbatch.errors import LLMBatchError
from llmbatch.ray import ray_classify


def label(path: str, workers: int, options: dict[str, Any]) -> dict[str, Any]:
    """Label the rows of a Parquet file."""
    ray = import_module("ray")
    ray.init(num_cpus=max(workers, 2), _node_ip_address="127.0.0.1", include_dashboard=False, logging_level="error")
    data = import_module("ray.data")
    data.DataContext.get_current().enable_progress_bars = False
    try:
        labels = ray_classify(data.read_parquet(path), workers=workers, **options).take_all()
    except LLMBatchError as error:
        return {"code": int(error.exit_code), "message": error.message}
    return {
        "code": 0,
        "rows": [row["row"] for row in labels],
        "ids": [row["id"] for row in labels],
        "statuses": Counter(row["status"] for row in labels),
        "columns": sorted(labels[0]),
    }


if __name__ == "__main__":
    outcome = label(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
    sys.stdout.write(f"{json.dumps(outcome)}\n")
