"""Fixed projections of one sensor's spectra to the bands of another: nearest centre, or weighted by spectral response.

The two adaptations of the TerraMind study (arXiv 2603.06690), for any two sensors. What is not seen by the source is never
filled in silently: the caller says what becomes of it.
"""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown
from spectral_jax.spectral.coverage import Coverage, coverage, nearest_index, srf_weights

METHODS = ("nearest", "srf")
UNCOVERED = ("refuse", "nearest", "zero", "leave_out")
# Status of a target band.
COVERED, NEAREST, ZERO, LEFT_OUT = "covered", "nearest", "zero", "left out"
# A target value counts as valid where bands of at least this share of its weight are.
LEAST_VALID = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """A matrix from a source's used bands to a target's, and what it does to each target band.

    Attributes:
      method: "nearest" or "srf".
      uncovered: the policy for target bands that the source does not see.
      matrix: float32 [C_target C_source], read-only; its rows are the kept target bands, sum to 1, or are zero under "zero".
      status: for every used band of the target, also those not kept: "covered", "nearest", "zero" or "left out".
      coverage: what the source sees of the target, with the names and digests of both.
    """

    method: str
    uncovered: str
    matrix: np.ndarray
    status: tuple[str, ...]
    coverage: Coverage

    @property
    def source(self) -> str:
        """Name of the source sensor."""
        return self.coverage.source

    @property
    def target(self) -> str:
        """Name of the target sensor."""
        return self.coverage.target

    @property
    def source_digest(self) -> str:
        """Digest of the source's spec."""
        return self.coverage.source_digest

    @property
    def target_digest(self) -> str:
        """Digest of the target's spec."""
        return self.coverage.target_digest

    @property
    def kept_index(self) -> tuple[int, ...]:
        """Positions among the target's used bands of the rows of `matrix`: the input channels of a patch embedding to keep."""
        return tuple(i for i, status in enumerate(self.status) if status != LEFT_OUT)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the target bands that the rows of `matrix` are."""
        return tuple(self.coverage.bands[i].band for i in self.kept_index)

    def text(self) -> str:
        """The table of coverage, and a sentence on what became of the uncovered bands."""
        changed = [f"{b.band} {s}" for b, s in zip(self.coverage.bands, self.status, strict=True) if not b.covered]
        fate = f"uncovered bands: {', '.join(changed)}" if changed else "no band is uncovered"
        return f"{self.coverage.text()}\nMethod {self.method}; {fate}."

    def to_json(self) -> str:
        """Method, policy, status, kept bands and coverage, as JSON; the matrix follows from them."""
        out = {"method": self.method, "uncovered": self.uncovered, "kept": self.kept, "status": self.status}
        return json.dumps(out | {"coverage": dataclasses.asdict(self.coverage)}, indent=1)


def project(source: SensorSpec, target: SensorSpec, method: str, uncovered: str) -> Projection:
    """Makes the projection from one sensor's used bands to another's.

    Args:
      source: the sensor that spectra come from.
      target: the sensor that an encoder expects.
      method: "nearest": each target band is the source band with the nearest centre; "srf": the mean of source bands weighted
        by the target's spectral response (see `spectral_jax.spectral.coverage`).
      uncovered: what becomes of a target band in whose response no source centre lies: "refuse" raises; "nearest" takes the
        nearest source band however far it is, as the paper's naive selection does; "zero" gives 0, in the unit of the values
        that `apply` gets; "leave_out" drops the row, and `kept` names the others. The policy holds for both methods.

    Raises:
      ValueError: unknown method or policy; a radar; no target band is covered; quantity or unit differ; or the policy is
        "refuse" and a target band is uncovered.

    Example, a spectrometer of 5 nm seen as two broad bands, the second of which lies outside its range:

      >>> from spectral_jax.sensors import Band, SensorSpec
      >>> what = dict(kind="optical", quantity="surface reflectance", unit="1", gsd_m=30.0, dtype="float32")
      >>> fine = SensorSpec(name="fine", bands=tuple(Band(f"{nm}", nm, 5.0) for nm in range(500, 701, 5)), **what)
      >>> broad = SensorSpec(name="broad", bands=(Band("green", 560.0, 35.0), Band("nir", 860.0, 20.0)), **what)
      >>> projection = project(fine, broad, method="srf", uncovered="leave_out")
      >>> projection.status, projection.matrix.shape
      (('covered', 'left out'), (1, 41))
      >>> spectra = jnp.stack([jnp.full(41, 0.3), fine.centre_nm / 1000.0])  # reflectance: flat, and rising with wavelength
      >>> [f"{value:.2f}" for value in apply(projection.matrix, spectra)[:, 0]]
      ['0.30', '0.56']
    """
    if method not in METHODS:
        raise unknown("projection", "method", method, METHODS)
    if uncovered not in UNCOVERED:
        raise unknown("projection", "policy for uncovered bands", uncovered, UNCOVERED, most=len(UNCOVERED))
    seen = coverage(source, target)
    missing = seen.uncovered
    if len(missing) == len(seen.bands):
        raise ValueError(
            f"{source.name} ({_range(source)}) has no band inside the response of any band of {target.name} "
            f"({_range(target)}); choose a source and a target that overlap."
        )
    for field in ("quantity", "unit"):
        ours, theirs = getattr(source, field), getattr(target, field)
        if ours != theirs:
            raise ValueError(
                f"projection from {source.name} to {target.name}: {field} is {ours!r}, expected {theirs!r}; convert the values "
                f"and give a source spec that says so, dataclasses.replace(source, {field}={theirs!r})."
            )
    if missing and uncovered == "refuse":
        bands = ", ".join(f"{b.band} at {b.centre_nm:g} nm (nearest {b.nearest_nm:g} nm)" for b in missing)
        raise ValueError(
            f"{source.name} covers {len(seen.bands) - len(missing)} of the {len(seen.bands)} bands of {target.name}, not "
            f"{bands}; choose what becomes of them: uncovered='nearest', 'zero' or 'leave_out'."
        )
    covered = np.array([b.covered for b in seen.bands])
    chosen = np.eye(len(source.used))[nearest_index(source, target)]
    matrix = srf_weights(source, target)[0] if method == "srf" else np.where(covered[:, None], chosen, 0.0)
    if uncovered == "nearest":
        matrix = np.where(covered[:, None], matrix, chosen)
    fate = {"nearest": NEAREST, "zero": ZERO, "leave_out": LEFT_OUT}.get(uncovered, COVERED)
    matrix = (matrix[covered] if uncovered == "leave_out" else matrix).astype(np.float32)
    matrix.setflags(write=False)
    return Projection(method, uncovered, matrix, tuple(COVERED if c else fate for c in covered), seen)


def apply(matrix: jax.Array | np.ndarray, values: jax.Array, valid: jax.Array | None = None) -> jax.Array:
    """Projects spectra, in float32.

    Args:
      matrix: [C_target C_source].
      values: [... C_source], physical values of the source's used bands in the order of its spec.
      valid: bool [... C_source], or None where all are valid. An invalid value has no influence, not even where it is NaN: the
        weights of the others are scaled up to the row's sum of absolute weights. `target_valid` says what the result is worth.

    Returns:
      float32 [... C_target]; 0 where no source band with a weight is valid.

    Raises:
      ValueError: sizes differ.
    """
    matrix = jnp.asarray(matrix, jnp.float32)
    _check_sizes(matrix, values, valid)
    values = values.astype(jnp.float32)
    if valid is None:
        return _product(matrix, values)
    weight = jnp.abs(matrix)
    seen = _product(weight, valid.astype(jnp.float32))
    whole = jnp.broadcast_to(jnp.sum(weight, axis=1), seen.shape)
    # Where nothing is seen the product is 0 already; a factor of 1 leaves a learned row that starts at zero its gradient.
    scale = jnp.where(seen > 0, whole / jnp.where(seen > 0, seen, 1.0), 1.0)
    return _product(matrix, jnp.where(valid, values, 0.0)) * scale


def target_valid(matrix: jax.Array | np.ndarray, valid: jax.Array) -> jax.Array:
    """Which results of `apply` are valid: those with valid source bands of at least half the weight.

    A row of zeros (policy "zero") is valid wherever any source band is.

    Args:
      matrix: [C_target C_source].
      valid: bool [... C_source].

    Returns:
      bool [... C_target].

    Raises:
      ValueError: sizes differ.
    """
    matrix = jnp.abs(jnp.asarray(matrix, jnp.float32))
    _check_sizes(matrix, valid, None)
    seen = _product(matrix, valid.astype(jnp.float32))
    # Rows sum to 1 but for rounding, and half of the weight exactly must not depend on it.
    enough = jnp.broadcast_to((LEAST_VALID - 1e-6) * jnp.sum(matrix, axis=1), seen.shape)
    return (seen >= enough) & jnp.any(valid, axis=-1, keepdims=True)


def _product(matrix, values):
    # The default of an accelerator rounds to bfloat16 or TF32: 0.4 % of reflectance is more than sensors' noise.
    return jnp.einsum("...s,ts->...t", values, matrix, precision=jax.lax.Precision.HIGHEST)


def _check_sizes(matrix, values, valid):
    if matrix.ndim != 2 or values.ndim < 1 or values.shape[-1] != matrix.shape[1]:
        raise ValueError(
            f"projection: expected values [... C_source] for a matrix [C_target C_source] of shape {matrix.shape}, got shape "
            f"{values.shape}; give the source's used bands along the last axis."
        )
    if valid is not None and valid.shape != values.shape:
        raise ValueError(f"projection: expected valid of the shape of values {values.shape}, got {valid.shape}; broadcast it.")


def _range(spec: SensorSpec) -> str:
    return f"{spec.centre_nm.min():g} to {spec.centre_nm.max():g} nm"
