"""A scene and an encoder to a map.

In the order in which they may import one another:

  bands: which sensor of an encoder a scene's bands are
  observed: a scene as maps take it: place, sensor, windows of physical numbers
  windows: a scene through overlapping windows, cell by cell, in memory that its size does not change
  embedder: an encoder's level as a function of windows
  foreign: an encoder of others as a function of windows
  components: principal components of a sample, for eyes
  provenance: what the tags of a map say of where it is from
  page: the picture and the page beside a map, and a small picture of its scene
  embedding: from a scene to a map of embeddings
  predictor: a fitted model as a function of windows
  prediction: from a scene to a map of what a fitted model says
  arrays: embeddings of an xarray DataArray, block by block where it is Dask's
"""
