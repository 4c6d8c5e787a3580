"""Observations in: rasters and products to stores, PACE granules and water samples to match-ups.

In the order in which they may import one another:

  facts: what a product is: the text files of `data_specs/products`
  units: whether a stated unit is the one that numbers should have
  packing: what the attributes of an array say: scale, offset, fill values, valid range
  raster: a GeoTIFF: grid, bands, time, numbers; big scenes window by window
  downloaded: products as agencies deliver them, behind one interface
  masks: cloud in products, by models beside their own layers
  catalogue: products that a STAC catalogue lists, fetched once
  patches: folders of GeoTIFFs to a store of co-located patches
  colocated: products of any sensors and dates to a store of fixed squares of the ground
  pace: PACE OCI from NetCDF
  matchups: water samples beside PACE spectra
"""
