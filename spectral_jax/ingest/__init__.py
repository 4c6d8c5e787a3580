"""Observations in, store out: GeoTIFFs are matched to sensor specs, cut into co-located patches, and written."""
