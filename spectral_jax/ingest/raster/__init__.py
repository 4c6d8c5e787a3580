"""A GeoTIFF: its grid, bands, time and numbers; big scenes window by window.

In the order in which they may import one another:

  earth: places in degrees: the radius, UTM zones, the step of a regular grid
  geotiff: one open file, with a sentence for whatever is wrong
  grid: two rasters on one grid
  bands: which band of a file is which band of a spec
  sentinel2_offset: whether a chip carries the +1000 of processing baseline 04.00
  scene: big scenes, read window by window and written back onto the same grid
  tiled: predictions for scenes of any size, in memory that a row of tiles bounds
"""
