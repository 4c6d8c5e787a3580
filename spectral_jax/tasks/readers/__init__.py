"""One file a layout on disk; `tasks.read` chooses among them.

In the order in which they may import one another:

  rasters: GeoTIFFs of tasks: channels by wavelength, place, missing numbers
  arrays: containers of arrays, one a split, whatever the container is
  pairs: an image and a label raster: what most published sets come down to
  series: what readers of series of dates share
  tables: spectra or small arrays in a few files
  hdf5: one HDF5 file a split
  zarr_groups: one Zarr group a split
  tiles: large sets whose labels, too, are read when they are asked for
  patches: sets that were cut into patches before they were published
  pangaea: sets that lie on disk as the loaders of pangaea-bench state it
  terramesh: TerraMesh chips: Sentinel-2, Sentinel-1 and land cover of one site
  xview2: an image before a disaster, one after it, and the damage of every pixel
  spacenet7: monthly Planet mosaics, cut into tiles
  series_pastis: PASTIS-R
  series_rasters: DynamicEarthNet and BioMassters
  series_south_sudan: crop types of South Sudan
"""
