"""All encoders and the bands themselves on several tasks, frozen, with few labels and all: the one table of docs/encoders.md.

In the order in which they may import one another:

  sums: scores and their intervals over places, from sums that add up
  readout: the linear models on frozen features
  contestants: who stands in the table, with which weights
  maps: features of every position of images
  land_cover: land cover of pixels and cells: Potsdam and TerraMesh
  monthly_points: points with monthly series: fuel moisture and algal blooms
  simulated: what simulated scenes were made of
  block: the table as a marked block of a page
  take: all of it by one call
"""
