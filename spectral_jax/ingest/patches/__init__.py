"""Folders of GeoTIFFs to a store of co-located patches.

In the order in which they may import one another:

  products: which products can be read, one file each
  plan: chips paired by name and place, cut into patches, grouped by their sensors
  shard: one shard as one task: what is to be written into it, and writing it
  crew: who writes shards: this process, workers on this machine, or a Dask cluster
  write: planned patches, shard by shard, and the record of what is finished
  build: from folders to a store, begun or continued, with its provenance
"""
