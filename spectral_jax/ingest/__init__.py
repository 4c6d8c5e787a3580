"""Observations in: GeoTIFFs to a store of co-located patches, PACE granules and water samples to match-ups, labelled tasks.

Read `build` for stores, `matching` for match-ups, `tasks.read` for tasks, `scene` for images that are predicted tile by tile.
"""
