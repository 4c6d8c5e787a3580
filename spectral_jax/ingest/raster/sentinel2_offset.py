"""Does a Sentinel-2 L2A chip carry the +1000 of processing baseline 04.00? The most reported radiometric bug of the field.

Since baseline 04.00 (25 January 2022, and in older scenes that were processed again) reflectance is (DN - 1000) / 10000, before
it was DN / 10000, and the pixels of a chip do not say which (ESA, Sentinel-2 L2A product metadata BOA_ADD_OFFSET). In order of
trust: what the user gives; what is written of the chip (`sentinel2_metadata`); its pixels, where they leave no doubt. Metadata
that contradicts itself or the pixels is refused, as tools take the offset off and leave the words.
"""

import json
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import geotiff, numbers, sentinel2_metadata
from spectral_jax.ingest.raster.sentinel2_metadata import OFFSET
from spectral_jax.ingest.raster.sentinel2_metadata import Statement as Decision

OPTION = "option offset of --product=sentinel2"
PERCENTILE = 1.0
# Pixels are looked at in so many windows a side, at full resolution: what overviews hold is mixed with missing pixels.
WINDOWS, WINDOW_PX = 3, 366
# With the offset a 1st percentile below this would mean a reflectance below -0.03 in a hundredth of the chip.
DARK = 700.0
# With the offset, water, shade and plants leave at least half of the bands with a 1st percentile from the offset to this, dark
# in the visible and in the shortwave infrared alike. Without it that would be ground of reflectance 0.10 to 0.13 in all of them
# and nothing darker; sand, salt, snow and cloud are bright in some of them.
DARK_WITH_OFFSET, LEAST_BANDS = 1300.0, 0.5
MISSING = (0.0, 65535.0)  # no data, and saturated


def given(option: str | None) -> float | dict[str, float] | None:
    """Reads the option `offset`: a number, or a JSON file with chip names and numbers.

    Raises:
      FileNotFoundError, ValueError: it is neither.
    """
    if option is None or option == "":
        return None
    try:
        number = float(option)
    except ValueError:
        pass
    else:
        return _possible(number, OPTION)
    path = Path(option).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{OPTION}: expected a number or a JSON file, and {option!r} is neither.")
    try:
        table = json.loads(path.read_text())
        return {str(name): _possible(float(number), f"{path}: {name}") for name, number in table.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f'{OPTION}: expected {path} to hold chip names and numbers, such as {{"chip_1": 1000}}; got something '
            f"else ({error})."
        ) from error


def decide(dataset, path: Path, flag: float | dict[str, float] | None) -> Decision:
    """What to subtract from the numbers of one chip.

    Args:
      dataset: the open chip; its pixels are read unless the user gave a number.
      path: the chip.
      flag: what `given` returned.

    Raises:
      ValueError: the chip is not in the table; what is written contradicts itself or the pixels; or nothing is written and the
        pixels leave doubt.
    """
    if isinstance(flag, dict):
        if path.stem not in flag:
            some = ", ".join(sorted(flag)[:5])
            raise ValueError(f"{OPTION}: the table has no entry for {path.stem}; it has {some}. Add it (0 or 1000).")
        return Decision(flag[path.stem], "given with the option offset")
    if flag is not None:
        return Decision(flag, "given with the option offset")
    stated = sentinel2_metadata.statements(dataset, path)
    different = {statement.offset: statement for statement in reversed(stated)}
    if len(different) > 1:
        told = " but ".join(f"{one.reason} means {one.offset:g}" for one in sorted(different.values(), key=lambda s: -s.offset))
        raise ValueError(f"{path}: what is written of its offset contradicts itself: {told}. Give the {OPTION}: 0 or 1000.")
    lowest = _low_percentiles(dataset, path)
    certainly = _certainly(lowest)
    if stated:
        if certainly is not None and certainly != stated[0].offset:
            raise ValueError(_contradiction(stated[0], lowest, path))
        return stated[0]
    if certainly == 0.0:
        return Decision(0.0, f"from the pixels: {_evidence(lowest)}, which an offset cannot leave")
    if certainly == OFFSET:
        return Decision(OFFSET, f"from the pixels: {_evidence(lowest)}, and {_dark(lowest)} lie close above the offset")
    days = geotiff.time_days(dataset, path)
    seen = None if days is None else geotiff.EPOCH + np.timedelta64(int(days), "D")
    if seen is not None and seen >= sentinel2_metadata.DEPLOYED and lowest.size and lowest.min() >= OFFSET:
        return Decision(OFFSET, f"seen after baseline 04.00 began, and {_evidence(lowest)}")
    evidence = _evidence(lowest) if lowest.size else "every pixel is missing"
    raise ValueError(
        f"{path}: does it carry the +1000 of processing baseline 04.00? Its metadata does not say, and its pixels leave doubt "
        f"({evidence}). Give the {OPTION}: 0 or 1000, or a JSON file that maps chip names to numbers."
    )


def _possible(number: float, where: str) -> float:
    if not 0.0 <= number <= 10 * OFFSET:
        raise ValueError(f"{where}: expected 0 or 1000, what is subtracted from the numbers, got {number:g}.")
    return number


def _certainly(lowest: np.ndarray) -> float | None:
    """The offset that the 1st percentiles [C] leave no doubt about; None where they do."""
    if not lowest.size:
        return None
    if lowest.min() < DARK:
        return 0.0
    return OFFSET if lowest.min() >= OFFSET - 50 and _close(lowest) >= LEAST_BANDS * lowest.size else None


def _close(lowest: np.ndarray) -> int:
    return int(np.count_nonzero((lowest >= OFFSET - 50) & (lowest <= DARK_WITH_OFFSET)))


def _dark(lowest: np.ndarray) -> str:
    return f"those of {_close(lowest)} of {lowest.size} bands"


def _contradiction(stated: Decision, lowest: np.ndarray, path: Path) -> str:
    ask = f"Give the {OPTION}: 0, or a JSON file of chips."
    if stated.offset:
        return (
            f"{path}: its metadata names an offset of {stated.offset:g} ({stated.reason}), but {_evidence(lowest)}, which "
            f"an offset cannot leave; it was probably removed already. {ask}"
        )
    return (
        f"{path}: its metadata names no offset ({stated.reason}), but {_evidence(lowest)}, and {_dark(lowest)} lie close above "
        f"1000, as with an offset; it was probably added. {ask.replace(': 0,', ': 0 or 1000,')}"
    )


def _evidence(lowest: np.ndarray) -> str:
    return f"the lowest 1st percentile of a band is {lowest.min():g} (band {int(lowest.argmin()) + 1})"


def _low_percentiles(dataset, path: Path) -> np.ndarray:
    """The 1st percentile of every band over the pixels that hold data, at full resolution [C]."""
    bands = numbers.data_bands(dataset)
    packed = numbers.packings(dataset, path, bands)
    parts = [numbers.read(dataset, path, packed, bands, window, MISSING) for window in _windows(dataset)]
    pixels = np.concatenate([raw.reshape(len(bands), -1) for raw, _ in parts], axis=1)
    # A number below 0 is a fill value that nothing declares, or was 1000 higher: neither says that there is no offset.
    good = np.concatenate([valid.reshape(len(bands), -1) for _, valid in parts], axis=1) & (pixels > 0)
    return np.array([np.percentile(band[there], PERCENTILE) for band, there in zip(pixels, good, strict=True) if there.any()])


def _windows(dataset) -> list:
    """Windows at full resolution, evenly spaced; the whole file where it is not larger than they are together."""
    import rasterio

    starts = []
    for side in (dataset.height, dataset.width):
        count = WINDOWS if side > WINDOWS * WINDOW_PX else 1
        length = WINDOW_PX if count > 1 else side
        starts.append([(int(at), length) for at in np.linspace(0, side - length, count)])
    return [rasterio.windows.Window(left, top, width, height) for top, height in starts[0] for left, width in starts[1]]
