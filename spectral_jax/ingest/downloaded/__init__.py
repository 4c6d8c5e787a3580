"""Products as agencies deliver them, behind one interface: where and when, bands by wavelength, windows of pixels, quality.

In the order in which they may import one another:

  files: the files of a product: where they lie, and what is in them
  product: what every reader gives
  agreement: a product's own wavelengths, scales and fills beside those of the sensor's spec
  enmap: EnMAP L2A
  sentinel2: Sentinel-2 L2A
  landsat: Landsat Collection 2 Level 2, reflectance or surface temperature
  emit: EMIT L2A
  prisma: PRISMA L2D
  desis: DESIS L2A
  sentinel1: Sentinel-1 RTC of three producers
  recognise: which product a path is
  folders: products in folders of any depth
"""
