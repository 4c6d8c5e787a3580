"""What the estimator is compared with, and how.

In the order in which they may import one another:

  baselines: what every model must beat
  embedding: match-up patches through an encoder
  finetune: a pretrained encoder on labelled match-ups
  evaluate: out-of-fold predictions on splits and seeds, metrics, paired comparisons
  attribution: which wavelengths a prediction hangs on
  reconstruction: how well hidden bands are guessed
  compare: the whole comparison of one target
"""
