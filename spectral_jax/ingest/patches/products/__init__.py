"""The products that can be read: one file each, and one row each in `table`.

In the order in which they may import one another:

  deliveries: a folder of products as agencies deliver them, opened one at a time
  kept: the GeoTIFF that was read last, which stays open between the patches of a file
  product: what a product is, and what all have in common: a file looked at, its numbers as stored
  enmap: EnMAP L2A
  sentinel2: Sentinel-2 L2A
  sentinel1: Sentinel-1 backscatter in dB
  delivered: products as agencies deliver them, of any sensor
  table: which products there are, and folders of them as a command names them
"""
