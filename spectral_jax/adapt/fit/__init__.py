"""A line of the table, fitted.

In the order in which they may import one another:

  adapted: an encoder, what is done to bands before it, and a head after it
  prepared: a line's encoder with its adaptation and head, fresh or of a folder of weights
  study_statistics: what the code of the TerraMind study normalises bands by
  supervised: training of a head, and of what trains with it, on the package's one loop
  probe_models: nearest neighbours and linear models on embeddings
  probe: probes as lines of a comparison
  baseline: linear models of the spectra, without an encoder
  line: one line on one seed
"""
