"""Folders of GeoTIFFs to a store of co-located patches.

In the order in which they may import one another:

  products: which products can be read, one file each
  plan: chips paired by name and place, cut into patches, grouped by their sensors
  write: planned patches, shard by shard
  build: from folders to a store, begun or continued, with its provenance
"""
