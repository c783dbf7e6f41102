"""Clips as WebDataset shards, written and read; resumable, with checksums."""

from nbhelpers.data.shards.read import read_shards
from nbhelpers.data.shards.records import Shard, ShardClip, ShardSet, load_shards
from nbhelpers.data.shards.write import write_shards

__all__ = ["Shard", "ShardClip", "ShardSet", "load_shards", "read_shards", "write_shards"]
