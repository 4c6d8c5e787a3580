"""Product 2: the toxin of Lake Erie from PACE, this week and 8 days ahead. Read `run`.

In the order in which they may import one another:

  splits: splits whose two sides share no scene and no water sample
  climatology: what a station's water held on that day in earlier years
  features: what the linear experts look at: spectra in three forms, and indices
  metrics: in log and linear space, of exceedance, and of intervals
  predictor: the estimator: censored ridge, ensemble, calibration
  problem: one target of one set of match-ups, as every model gets it
  predictor_file: the fitted predictor in one file of plain arrays
  settings: what a run is
  study: what the estimator is compared with, and how
  maps: an image to a map
  report: report.json to report.html
  encoders: the encoders that a run compares, pretrained on a simulated lake
  predict: new spectra, or an image, from a finished run
  run: a run from config to report
"""
