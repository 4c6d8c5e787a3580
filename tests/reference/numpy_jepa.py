"""The joint-embedding objective in float64 NumPy, from pooled embeddings on, written from its formulas."""

import numpy as np


def project(params: dict, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Two layers with weighted BatchNorm over all rows and ReLU, and a linear one; [V B D] to [V B K]."""
    for i in range(2):
        x = x @ np.asarray(params[f"hidden{i}"]["kernel"], np.float64)
        share = (weight / weight.sum())[..., None]
        mean = (x * share).sum(axis=(0, 1))
        variance = ((x - mean) ** 2 * share).sum(axis=(0, 1))
        norm = params[f"norm{i}"]
        x = np.maximum((x - mean) / np.sqrt(variance + 1e-5) * np.asarray(norm["scale"]) + np.asarray(norm["bias"]), 0.0)
    return x @ np.asarray(params["out"]["kernel"], np.float64) + np.asarray(params["out"]["bias"])


def sigreg(z: np.ndarray, filled: np.ndarray, unit: np.ndarray, counted: np.ndarray, knots: int, last: float) -> float:
    """Epps-Pulley by the trapezoid rule on [-last, last], of every view and direction; views count as `counted`."""
    t = np.linspace(-last, last, 2 * knots - 1)
    values = []
    for view, weight in zip(z, filled, strict=True):
        phase = (view @ unit)[:, :, None] * t
        phi = (np.exp(1j * phase) * weight[:, None, None]).sum(axis=0) / weight.sum()
        values.append(
            weight.sum() * np.trapezoid(np.abs(phi - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), t, axis=-1).mean()
        )
    return float(np.average(values, weights=counted))


def invariance(z: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """Mean square distance to the mean of the targets over views, samples (as each counts) and dimensions."""
    return float(np.average(((z - target.mean(axis=0)) ** 2).mean(axis=-1), weights=weight))
