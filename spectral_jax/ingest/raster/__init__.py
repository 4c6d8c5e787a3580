"""A GeoTIFF: its grid, bands, time and numbers; big scenes window by window.

In the order in which they may import one another:

  earth: places in degrees: the radius, UTM zones, the step of a regular grid
  geotiff: one open file, with a sentence for whatever is wrong
  numbers: which numbers are data, and how they are packed
  grid: two rasters on one grid
  wavelengths: centres and widths of a file's bands, in whatever writing
  band_names: what a file's descriptions say its bands are
  bands: which band of a file is which band of a spec
  sentinel2_metadata: what is written of a chip's offset, by agencies, catalogues and tools
  sentinel2_offset: whether a chip carries the +1000 of processing baseline 04.00
  scene: big scenes, read window by window and written back onto the same grid
  tiled: predictions for scenes of any size, in memory that a row of tiles bounds
  cog: a map as a cloud-optimised GeoTIFF, written band of rows by band of rows
"""
