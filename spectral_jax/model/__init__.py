"""The encoders and their heads: the only floor that imports flax.

In the order in which they may import one another:

  devices: which devices an array is computed on
  initialise: how parameters start
  layers: what all parts are made of: masks everywhere, reductions in float32
  attention: inside windows, and of one learned query
  block: the pre-norm transformer block
  convolutions: convolutions as PyTorch defines them, and norms without batch statistics
  resize: maps to other sizes, exactly as PyTorch does it
  given: what an encoder's parameters are given and never learn: whitenings, also of a sensor that is added
  encoder: our encoder: pixels to tokens to stages to one embedding
  published: encoders of others, number for number
  projection: learned projections of spectra to other bands
  heads: from maps and embeddings to labels
"""
