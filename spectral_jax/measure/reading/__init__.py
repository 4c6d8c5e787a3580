"""Reading a store as it really is: as large as the published archive, and behind a network.

In the order in which they may import one another:

  bucket: a local server that answers after a while, as an object store does
  archive: a store with as many locations as SpectralEarth-MM, simulated
  startup: seconds and memory to the first batch, in a process of its own
  steps: whether the loader feeds steps of a given time through the server
"""
