"""Encoders of monthly series on tables of points, as Presto's published evaluation compares them.

In the order in which they may import one another:

  series: a task's samples by channel name, with months, places and land cover
  frozen: the record of an encoder of series, and its embeddings
  presto: Presto on everything that it takes
  galileo: Galileo on all of it but land cover
  regressors: linear regression, ridge and random forest as the published evaluation fits them
  finetune: Presto trained to the end of its published recipe
  comparison: what a comparison of encoders of series is
  points: the points of a task, and what each row says of them
  compare: such a comparison from config to page
"""
