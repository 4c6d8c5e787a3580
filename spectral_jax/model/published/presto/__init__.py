"""Presto: one pixel's monthly series of several sensors, in groups of channels that may be missing.

In the order in which they may import one another:

  inputs: channels in groups, and observations to arrays and masks
  decoder: from tokens to the channels of every step
  network: config, parameters, and inputs to tokens, embeddings and reconstructions
  images: images of one date to maps, a pixel at a time
"""
