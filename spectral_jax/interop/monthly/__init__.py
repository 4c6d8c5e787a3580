"""Checkpoints of encoders of monthly series: Galileo and Presto.

In the order in which they may import one another:

  fixed_tables: tables that do not train, compared with their formula
  galileo: Galileo checkpoints
  presto: Presto checkpoints, encoder and decoder
"""
