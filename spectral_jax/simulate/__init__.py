"""Worlds of known truth; everything made here says SIMULATED.

In the order in which they may import one another:

  place: where on Earth a simulated patch lies
  liquid_water: how much light water absorbs beyond the red
  lake: a lake's water through a season, its optics, its toxin
  scenes: lakeside mosaics seen by every sensor
  task: a small labelled task made of simulated scenes
"""
