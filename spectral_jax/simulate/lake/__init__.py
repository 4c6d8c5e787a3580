"""A lake's water through a season, its optics and its toxin.

In the order in which they may import one another:

  optics: absorption and backscattering of lake water
  toxin: microcystin, which follows cyanobacteria by a quota that light does not show
  rrs: remote-sensing reflectance in the bands of a sensor
  correction: what a correction of the atmosphere leaves over a turbid lake
  prior: what the water of a shallow, fertile lake may hold, and spectra of it
  state: how water changes from day to day, with the season, from place to place
  season: stations, images, water samples, and the match-ups that come of them
  store: the lake as an ordinary store
"""
