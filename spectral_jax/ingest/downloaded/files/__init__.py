"""The files of a delivered product: where they lie, and what is in them.

In the order in which they may import one another:

  archive: files in a folder, a ZIP, a tar, or a tar.gz of ZIPs
  markup: metadata in XML
  rasters: GeoTIFFs and JPEG 2000 files of one product, on one grid
  hdf5: one HDF5 or NetCDF-4 file
"""
