"""A small table of points in the layout of Presto's evaluation, whose target is what a linear model of red can tell."""

import numpy as np

RED = 4
SITES = 12


def write(folder, count=48, months=3, seed=0, **change):
    """Writes the arrays of fuel_moisture, four samples a site, every third site a test site; gives them."""
    rng = np.random.default_rng(seed)
    cube = np.empty((count, months, 18))
    cube[..., :2] = rng.uniform(-25, -5, (count, months, 2))
    cube[..., 2:13] = rng.uniform(200, 4000, (count, months, 11))
    cube[..., 13] = rng.uniform(270, 300, (count, months))
    cube[..., 14] = rng.uniform(0, 0.01, (count, months))
    cube[..., 15:17] = rng.uniform([0, 0], [3000, 30], (count, 2))[:, None]
    cube[..., 17] = np.nan
    site = np.arange(count) // (count // SITES)
    arrays = {
        "s1_s2_era5_srtm": cube,
        "target": 50 + cube[..., RED].mean(axis=1) / 40,
        "is_test": (site % 3 == 2).astype(int),
        "site": np.array([f"site {i:02d}" for i in site]),
        "latlon": np.stack([rng.uniform(33, 45, count), rng.uniform(-120, -100, count)], axis=1),
        "month": (rng.integers(0, 12, (count, 1)) + np.arange(months)) % 12,
        "dynamic_world": rng.integers(0, 9, (count, months)).astype(np.uint8),
    } | change
    folder.mkdir(exist_ok=True)
    for name, value in arrays.items():
        np.save(folder / f"{name}.npy", value)
    return arrays
