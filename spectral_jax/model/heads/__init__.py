"""From maps and embeddings to labels.

In the order in which they may import one another:

  image_heads: class scores, or quantities, of a whole image
  decoders: from maps to K numbers a pixel
  upernet: UPerNet as PANGAEA uses it
  ltae: the Lightweight Temporal Attention Encoder
  temporal: the dates of an encoder's maps merged before a head
  task_heads: every head behind two pure functions
"""
