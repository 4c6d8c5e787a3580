"""Runs that outlive their machines: struck again and again, and compared with one that was left alone.

In the order in which they may import one another:

  ends: in what two finished runs differ
  strikes: what is done to a run: it is killed, or its disk is filled
  server: a server of an object store that is killed and started again while a run uses it
  lives: a run struck at random moments, continued and compared
"""
