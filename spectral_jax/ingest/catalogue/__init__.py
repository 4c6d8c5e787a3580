"""Products that a STAC catalogue lists, fetched once and laid out as their agencies deliver them.

In the order in which they may import one another:

  item: what a catalogue says of one scene
  search: items of a static catalogue, or of an API
  layout: which assets of an item make a product, and under which names
  gather: the newest of each scene, fetched into a folder, with a sentence for each that was not
"""
