"""Product 3: encoders and their adaptations compared on labelled tasks. Read `run`.

In the order in which they may import one another:

  protocols: how an encoder is trained on a task, as three studies state it
  bands: what is done to a sensor's bands before an encoder
  encoders: the encoders that are compared, one record each
  lines: encoder/adaptation/how, one line of the table
  settings: what a comparison is
  parts: which samples train, validate and test, and how they come in batches
  score: metrics, seeds, tables, ranks
  fit: a line of the table, fitted
  kept: a fitted line as a folder, and back
  words: what a comparison says on the terminal and at the head of its page
  page: the page of a comparison
  monthly: encoders of monthly series on tables of points, as Presto's evaluation compares them
  survey: all encoders and the bands themselves on several tasks, in one table
  run: a comparison from config to page
"""
