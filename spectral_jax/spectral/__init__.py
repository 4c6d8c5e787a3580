"""What the bands of a spectrum say: masks and bio-optical indices, by wavelength."""
