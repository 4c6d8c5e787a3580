"""Microcystin of new spectra from a finished run: a CSV with one row an input row, or maps of a PACE image."""

import csv
import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax import configure, matchups
from spectral_jax.ingest.pace import flags, read
from spectral_jax.matchups import Matchups
from spectral_jax.microcystin import encoders, features, predictor_file
from spectral_jax.microcystin.maps import draw
from spectral_jax.microcystin.maps.grid import MapPrediction
from spectral_jax.microcystin.predictor_file import Predictor
from spectral_jax.microcystin.settings import Microcystin

COLUMNS = (
    "mc_now",
    "mc_now_lower",
    "mc_now_upper",
    "mc_ahead",
    "mc_ahead_lower",
    "mc_ahead_upper",
    "p_exceed_1_6",
    "p_exceed_8",
)


def predict_file(path: Path, workdir: Path, out: Path) -> str:
    """Reads match-ups, predicts, writes the CSV, and returns a sentence about it.

    Concentrations are ug/L, ends those of 90 % intervals; the two probabilities are of now. A lower end below the detection
    limit means that "not detected" cannot be ruled out. Rows without a valid pixel hold nan.

    Args:
      path: `.npz` with rrs, wavelength, station, time, lat and lon.
      workdir: of a finished run.
      out: CSV to write.

    Raises:
      FileNotFoundError, ValueError: a file is missing or does not do; the sentence names file and field.
    """
    predictor, cfg = _opened(workdir)
    data = predictor_file.match_bands(predictor.wavelength_nm, matchups.load(path, labelled=False, region=cfg.data.region))
    _write(out, table(predictor, data, _embeddings(workdir, cfg, data)))
    empty = int((~np.isfinite(data.rrs).any(axis=(1, 2, 3))).sum())
    outside = int(_outside(predictor, data).sum())
    simulated = " The predictor was fitted on SIMULATED data." if predictor.simulated else ""
    return (
        f"{len(data)} rows predicted into {out}; {empty} without a valid pixel (nan), {outside} outside the range of the "
        f"spectra it was fitted on.{simulated}"
    )


def predict_image(path: Path, workdir: Path, out: Path, mask: str = flags.DEFAULT) -> str:
    """Predicts every water pixel of a PACE file and writes a GeoTIFF and, beside it, a PNG map.

    Args:
      path: Level-2 AOP or Level-3 mapped Rrs, NetCDF.
      workdir: of a finished run.
      out: GeoTIFF to write.
      mask: preset of `pace.flags`, or names of flags; for Level 2, whose pixels carry flags.

    Returns:
      Sentences about the two files.

    Raises:
      FileNotFoundError, ValueError, ImportError: see `predict_file` and `pace.read.read`.
    """
    predictor, cfg = _opened(workdir)
    image = read.read(path, region=cfg.data.region)
    rrs = image.rrs.astype(np.float32)
    lat, lon = image.lat, image.lon
    if isinstance(image, read.Granule):
        rrs = np.where(image.flagged(flags.mask(mask))[..., None], np.nan, rrs)
        each_lat, each_lon = lat, lon
    else:
        each_lat, each_lon = np.meshgrid(lat, lon, indexing="ij")
    shape = rrs.shape[:2]
    rows = np.flatnonzero(np.isfinite(rrs).any(axis=2).ravel())
    if not len(rows):
        raise ValueError(f"{path}: expected water pixels, and none is left in {cfg.data.region} under the mask {mask}.")
    data = dataclasses.replace(
        _pixels(rrs.reshape(-1, rrs.shape[-1])[rows], image), lat=each_lat.ravel()[rows], lon=each_lon.ravel()[rows]
    )
    matchups.check_unit(data.rrs, data.wavelength_nm, str(path))
    columns = table(predictor, predictor_file.match_bands(predictor.wavelength_nm, data), _embeddings(workdir, cfg, data))

    def gridded(name):
        whole = np.full(shape[0] * shape[1], np.nan)
        whole[rows] = columns[name]
        return whole.reshape(shape)

    image_map = MapPrediction(
        mc_now=gridded("mc_now"), lower=gridded("mc_now_lower"), upper=gridded("mc_now_upper"),
        p_exceed_1_6=gridded("p_exceed_1_6"), p_exceed_8=gridded("p_exceed_8"),
        outside=np.nan_to_num(gridded("outside_training_range")).astype(bool), lat=lat, lon=lon,
        mc_ahead=gridded("mc_ahead"), ahead_lower=gridded("mc_ahead_lower"), ahead_upper=gridded("mc_ahead_upper"),
        simulated=predictor.simulated, model="ensemble", time=str(image.time),
    )  # fmt: skip
    title = f"Microcystin, {str(image.time)[:10]}{' (SIMULATED)' if predictor.simulated else ''}"
    return f"{draw.write_geotiff(out, image_map)}\n{draw.write_png(out.with_suffix('.png'), image_map, title)}"


def _pixels(rrs: np.ndarray, image: read.Granule | read.MappedGrid) -> Matchups:
    """Pixels [N C] as match-ups of one pixel each; each is a place of its own, so no pixel is another's context."""
    n = len(rrs)
    nothing, never = np.full(n, np.nan), np.zeros(n, bool)
    return Matchups(
        rrs=rrs[:, None, None], wavelength_nm=image.wavelength_nm, station=np.arange(n).astype(str),
        time=np.full(n, image.time, "datetime64[s]"), lat=nothing, lon=nothing, granule=np.full(n, image.granule),
        mc_now=nothing, mc_now_censored=never, mc_now_dt_days=nothing, mc_ahead=nothing, mc_ahead_censored=never,
        mc_ahead_dt_days=nothing, chla=nothing, pc=nothing, source=image.source,
    )  # fmt: skip


def _opened(workdir: Path) -> tuple[Predictor, Microcystin]:
    predictor = predictor_file.load(workdir / predictor_file.FILE)
    config = workdir / "config.json"
    return predictor, configure.from_json(config.read_text(), where=str(config), kind=Microcystin)


def _embeddings(workdir: Path, cfg: Microcystin, data: Matchups) -> list[np.ndarray] | None:
    return encoders.embeddings(encoders.load(workdir), data) if cfg.encoder_in_ensemble else None


def table(predictor: Predictor, data: Matchups, embeddings: list[np.ndarray] | None) -> dict[str, np.ndarray]:
    """Column -> numbers [N]: those of `COLUMNS`, and whether the spectrum is outside the training range."""
    predicted = predictor_file.predict(predictor, data, embeddings)
    columns = {}
    for target, interval in predicted.items():
        for name, log10 in (("", interval.middle), ("_lower", interval.low), ("_upper", interval.high)):
            columns[f"mc_{target}{name}"] = 10.0**log10
    columns["p_exceed_1_6"], columns["p_exceed_8"] = (predicted["now"].exceedance[t] for t in (1.6, 8.0))
    return {name: columns[name] for name in COLUMNS} | {"outside_training_range": _outside(predictor, data).astype(int)}


def _outside(predictor: Predictor, data: Matchups) -> np.ndarray:
    return predictor_file.outside(predictor, features.filled(data.mean_rrs()))


def _write(out: Path, columns: dict[str, np.ndarray]) -> None:
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
