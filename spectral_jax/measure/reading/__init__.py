"""Reading a store as it really is: as large as the published archive, and behind a network.

In the order in which they may import one another:

  bucket: a local server that answers after a while, as an object store does
"""
