"""HyperSIGMA's checkpoints, in and out, and its pretraining taken over.

In the order in which they may import one another:

  keys: published parameter names beside our paths
  start: weights of pretraining taken over by a model of other images
  checkpoint: fusions, single encoders and those of pretraining, read and published
"""
