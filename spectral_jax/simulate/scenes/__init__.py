"""Lakeside mosaics with known physics, seen by every sensor.

In the order in which they may import one another:

  groups: the seven groups of locations, and how many of each a store has
  layout: covers of a location on a fine grid, and how a sensor's pixels average them
  leaf: leaves and canopies: pigments, water, dry matter, two streams over soil
  surfaces: soil, water and built surfaces
  site: lasting properties, states of dates, and spectra of endmembers
  radar_thermal: radar backscatter and surface temperature of the endmembers
  correction: what a correction of the atmosphere leaves over land
  sensing: how a sensor sees the ground: bands, pixels, noise, striping, packing
  location: one location: its ground, its dates, and what every sensor saw
  store: scenes written as an ordinary store
"""
