"""Containers of weights and what they hold, taken apart without running any of it.

In the order in which they may import one another:

  first_bytes: what a file is by its first bytes, whatever its name says
  inert: what stands for the data classes of other libraries in a pickle, and which those are
  tensors: what PyTorch's pickles call to put tensors together, and what stands for the kinds that are not read
  torch_file: `.pt` files, without running what they say
  npz_file: NumPy's `.npz`
  parts: which part of what a file holds is the weights
"""
