"""Worlds of known truth; everything made here says SIMULATED.

In the order in which they may import one another:

  place: where on Earth a simulated patch lies
  scenes: lakeside mosaics seen by every sensor
  lake: a lake's water through a season, its optics, its toxin
  task: a small labelled task made of simulated scenes
"""
