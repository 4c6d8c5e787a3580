"""Folders of GeoTIFFs to a store of co-located patches.

In the order in which they may import one another:

  products: which products can be read, one file each
  plan: chips paired by name and place, cut into patches, grouped by their sensors
  begun: the store that is built, made or as an earlier run left it
  shard: one shard as one task: what is to be written into it, and writing it
  crew: who writes shards: what is asked of them, and this process
  needed: what a worker must have: this version of the package, and the folders
  cluster: workers of a Dask cluster, on this machine or elsewhere
  write: planned patches, shard by shard, and the record of what is finished
  build: from folders to a store, begun or continued, with its provenance
"""
