"""An image to a map.

In the order in which they may import one another:

  grid: what a map holds, its checks, and how a swath becomes a regular grid
  draw: predictions as a GeoTIFF and a picture
"""
