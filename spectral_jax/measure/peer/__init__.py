"""Our training step and our loader against PyTorch: the same parameters, views, patches and cores, in turn.

In the order in which they may import one another:

  contestant: a process that answers lines: what runs in it, and how it is started and asked
  inputs: what both sides are given, as files: pixels, parameters, the views that a step draws
  ours: the step of this package as a contestant
  torch_network: the layers and the tokenizers in PyTorch
  torch_encoder: the encoder and the projector in PyTorch, with our parameters
  torch_objective: the views and the objective in PyTorch
  torch_step: the PyTorch step as a contestant, eager or compiled
  torch_stem: the stem that maps of pixels are of in PyTorch, timed beside ours
  figures: medians, ranges and ratios of what was measured, and their table
  compare: starts the contestants, refuses to time unequal ones, and times equal ones in turn
  torch_loader: a store's patches by zarr-python and PyTorch's DataLoader, in a process of its own
  loaders: our loader against that one on the same patches
"""
