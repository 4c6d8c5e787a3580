"""PACE OCI from NetCDF: Level-2 AOP and SFREFL, Level-3 mapped Rrs.

In the order in which they may import one another:

  file: one file: open it, find a variable, unpack its numbers
  start: when an observation began, from attributes and names
  identity: what a file is: product, version, time
  flags: quality flags by their names, and the masks made of them
  place: positions in degrees, the cut of a scene that holds a region, and the pixel nearest to a place
  layout: where each version keeps spectra and wavelengths
  download: granules from NASA's Earthdata cloud, through the user's own account
  as_xarray: what was read as an xarray Dataset
  read: a granule, or a cut of it
"""
