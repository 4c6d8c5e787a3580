"""report.json to report.html.

In the order in which they may import one another:

  words: sentences computed from the numbers, no stronger than they
  console: what a run says on the terminal
  predictions: out-of-fold predictions as the report shows them
  figures: figures of predictions and of comparisons
  spectra: figures along the wavelength
  tables: sections that are mostly tables
  drawings: sections that are mostly figures
  write: the page
"""
