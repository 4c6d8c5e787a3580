"""Our encoder: pixels to tokens to stages to one embedding.

In the order in which they may import one another:

  spectral_kernel: spectral tokens of a cell to one, as one kernel
  tokenize: pixels to stage-1 tokens
  wavelength: convolution weights made from a band's centre and width
  stem: a network of every pixel's whitened spectrum, and a linear skip past other tokenizers
  hiera: Hiera's stages on tokens kept window by window
  branch: one sensor's branch, and the local stages of many sensors in one program
  fuse: the sensors' tokens of a cell to one token
  projector: where the joint-embedding objective is measured
  level_heads: where levels of the encoder are trained by themselves
  spectral_heads: hidden bands, bio-optical indices, and the spectrum of a later date
  encode: the public functions: pure functions of the parameters
  readout: every level's map, and a vector of each for a whole patch
  pooled: fusion, stage 3 and mean of all views of a step
"""
