"""The encoders that are compared, one record each.

A further one is a file here and a row of `table`; where it is of others, `spectral_jax.interop.models` says what it needs too.

In the order in which they may import one another:

  encoder: the record: what a comparison needs to know of an encoder
  terramind: TerraMind on Sentinel-2's bands
  spectralearth: SpectralEarth's transformer and ResNet on all bands
  dofa: DOFA on any bands
  spectf: SpecTf on any bands, pixel by pixel
  hypersigma: HyperSIGMA on all bands, spatial or fused
  sentinels: the bands of Sentinel-2 and Sentinel-1 by name
  galileo: Galileo on Sentinel-2's bands, or Sentinel-1's
  presto: Presto on the same, a pixel at a time
  ours: our own encoder, or a pretrained checkpoint
  table: all of them by name
"""
