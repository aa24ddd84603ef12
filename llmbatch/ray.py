"""Labelling on a Ray cluster; needs the extra `ray`."""

from llmbatch.api.ray_shards import ray_classify

__all__ = ["ray_classify"]
