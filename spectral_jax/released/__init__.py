"""What is kept in the package: models that are loaded by name.

In the order in which they may import one another:

  compact: a level's vectors in 64 whole numbers of 8 bits
  models: folders of data_specs/models, read and written
"""
