"""Labelled downstream tasks: what one is, its files as published, and one structure for all.

In the order in which they may import one another:

  kinds: what is labelled, with what, and the metric that ranks
  fields: of what type each field of a task's file is
  spec: kind, classes or targets, channels, published protocol and layout of files
  samples: images, validity, labels, channels, scenes and places
  classes: from the raw codes of a label raster to class indices
  targets: numbers of a regression judged before they are learned
  ground: distances between images, in metres
  order: channels of several files brought into the order of the first
  readers: one file a layout on disk
  read: the samples of a task from a folder, whatever its layout
"""
