"""Product 1: an encoder from unlabelled patches. Read `run`.

In the order in which they may import one another:

  ridge: the one ridge by which features are judged
  probe: how well known ground parameters are read off frozen embeddings
  image: an image of any sensor: what its numbers are, by the rules of `build_store`
  embed: embeddings of a store's locations, or of an image patch by patch
  sample: a look at some patches of a store before the first step
  run: a run from config to closing words
"""
