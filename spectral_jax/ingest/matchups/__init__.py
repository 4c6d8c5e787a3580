"""Water samples beside PACE spectra, every loss counted.

In the order in which they may import one another:

  box: the box of pixels at a station, cut, masked and judged
  granules: which granules of a folder are used: one of each scene
  glerl_cells: cells of the GLERL CSVs: dates, times, positions, concentrations
  glerl: water samples of NOAA GLERL and CIGLR, in all their header styles
  labels: which water sample is the label of an image
  build: from granules and samples to match-ups
"""
