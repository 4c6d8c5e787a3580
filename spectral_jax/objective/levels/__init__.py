"""Objectives that train levels of the encoder by themselves, on the views of a step.

In the order in which they may import one another:

  contrast: InfoNCE between the views of a place
  cells: what the views show of single cells of the patch
  bands: the bands of a cell read off its token
  agree: all of them, weighted
"""
