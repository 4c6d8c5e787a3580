"""What the bands of a spectrum say, by wavelength.

In the order in which they may import one another:

  band_statistics: mean and standard deviation of bands, in a file of their own
  whitening: principal components of a sensor's spectra, of about equal variance, in a table of their own
  estimate: the components of one sensor's whitening, as the bands of any other give them
  coverage: which bands of one sensor see what a band of another sees
  project: fixed projections of spectra to another sensor's bands: nearest, or by spectral response
  indices: bio-optical indices of water, each with its formula, unit and source
  masks: which bands a spectrum is shown without: targeted, random, a block, or a mixture
"""
