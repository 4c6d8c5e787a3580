"""What encoders of monthly series share, Galileo and Presto: tokens that may be missing, months, and what sensors give.

In the order in which they may import one another:

  masked_blocks: transformer blocks on tokens of which some are not seen
  sines: fixed tables of steps, months and places
  observations: months, places, indices, and sentences about numbers of another unit
"""
