"""HyperSIGMA: a spatial and a spectral transformer with sparse sampling attention, and what fuses them.

*HyperSIGMA: Hyperspectral Intelligence Comprehension Foundation Model*, TPAMI 47(8), 6427-6444 (2025), arXiv 2406.11519, number
for number as its authors' code at commit 07e9ea2 of WHU-Sigma/HyperSIGMA, in evaluation mode.

In the order in which they may import one another:

  resample: constant matrices: bins of bands, and bilinear interpolation from corner to corner
  sampling: attention to a few points of a grid, which each token chooses, or to all tokens
  trunk: blocks, of which most sample; the published sizes
  pyramid: maps of four blocks at four sizes
  spatial: SpatSIGMA: patches of an image to tokens, and heads
  spectral: SpecSIGMA: every token one band as a whole image
  fusion: spatial maps weighted by what the spectral encoder says, to classes, maps of them, or detections
"""
