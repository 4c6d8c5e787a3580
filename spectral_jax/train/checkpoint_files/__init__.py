"""The files of checkpoints: where they are, and whether they are as they were saved.

In the order in which they may import one another:

  checksums: a CRC-32 of every file of a checkpoint, verified when it is read
  place: the folder or address of checkpoints, and which of them are finished
"""
