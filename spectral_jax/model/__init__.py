"""The encoder and its heads: the only floor that imports flax.

Read `encode` for the public functions, then `tokenize` and `wavelength` (pixels to tokens), `hiera` (local and shared stages),
`fuse` (several sensors to one token), `layers` (what all are made of) and `heads` (the projector).
Encoders of others are in `terramind`, `spectralearth` and `dofa`, on `vit`, and are called by `published`; `projection` brings
bands to them, and `task_heads` leads from their maps to labels.
"""
