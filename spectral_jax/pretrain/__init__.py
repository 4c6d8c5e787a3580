"""Product 1: an encoder from unlabelled patches. Read `run`.

In the order in which they may import one another:

  probe: how well known ground parameters are read off frozen embeddings
  run: a run from config to closing words
"""
