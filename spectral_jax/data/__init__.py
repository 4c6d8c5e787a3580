"""From files to device arrays: the store, the schedule of batches, the loader and the feed."""
