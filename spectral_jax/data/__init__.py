"""From files to device arrays: the store, the schedule of batches, the loader and the feed.

In the order in which they may import one another:

  store_format: how a store lies on disk: names, shapes, codecs, group nodes
  store_whole: a store is written beside its place and renamed when complete
  store_archive: archives in the layout of SpectralEarth-MM, described by specs of the caller
  store_read: patches of a batch, concurrently, only what is used; rows of large arrays
  store_write: checks, and the order of writes that never leaves a half-written patch valid
  store_group: one group: locations that have the same sensors
  store: co-located patches of several sensors in Zarr
  store_complete: whether flags, times, what is known of locations and shards of pixels are there
  schedule: which locations batch i has, and its random numbers, by random access
  loader_checks: whether a group holds what a config expects
  loader: batch i as a pure function of (config, seed, i, process)
  feed: host batches to sharded device arrays, ahead of the step
"""
