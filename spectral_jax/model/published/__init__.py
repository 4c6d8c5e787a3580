"""Encoders of others, number for number.

In the order in which they may import one another:

  sine_positions: fixed tables of positions in sines and cosines
  bicubic: tables of positions at other sizes, exactly as PyTorch does it
  vit: plain vision transformers, every block's tokens kept
  contract: what every published encoder here can do
  spectral_adapter: any number of bands to 128 channels, along the spectral axis alone
  spectralearth: the spectral adapter, then a vision transformer with a class token
  spectralearth_resnet: the spectral adapter, then a ResNet-50 without its stem
  dofa_kernel: DOFA's patch embedding, generated from wavelengths
  dofa: a transformer whose patch embedding is made from wavelengths
  spectf: SpecTf: a transformer along the bands of one spectrum
  hypersigma: HyperSIGMA: a spatial and a spectral transformer with sparse sampling attention
  terramind: TerraMind v1: pixels of several modalities to tokens
  monthly: what Galileo and Presto share: tokens that may be missing, months, what sensors give
  galileo: Galileo: monthly series of images of many sensors
  presto: Presto: one pixel's monthly series
"""
