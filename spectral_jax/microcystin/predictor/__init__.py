"""The estimator of microcystin.

In the order in which they may import one another:

  calibration: from a prediction to an interval and a probability
  censored_ridge: ridge of log10 concentrations, some only known to lie below the limit
  ensemble: linear experts and a prior of the season, mixed by left-out weeks
"""
