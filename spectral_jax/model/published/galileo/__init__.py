"""Galileo: monthly series of images of many sensors, in 17 groups of channels that may be missing.

In the order in which they may import one another:

  patch_kernel: a kernel of one patch size for patches of another
  channels: channels in groups, and how they are normalised
  inputs: observations to arrays and masks
  tokens: arrays to tokens
  network: config, parameters, and all inputs to tokens and embeddings
  images: images of one date to maps
"""
