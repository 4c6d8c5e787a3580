"""The spectral transformer of a cell, `tokenize.ReadSpectrum`, as one kernel, forward and backward, in Pallas.

Layer by layer, every layer's tokens go to memory and back, and that is what a step waits for; here a tile of cells stays on the
chip through all layers. In the order in which they may import one another:

  sizes: what a kernel is compiled for, and what it costs
  arithmetic: products, softmax, LayerNorm and GELU, each with its gradient
  tile: what is computed for a tile of cells
  weights: the parameters as the kernels take them
  tpu: the kernels for TPU
  triton: the kernels for GPU
  read: which form runs where, and the kernel called
"""
