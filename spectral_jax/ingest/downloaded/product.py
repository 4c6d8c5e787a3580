"""What every reader gives: a product as it was delivered, its pixels by windows, and what is known of each of them.

Windows are `(rows, columns)`, slices inside the product's grid. Bands stand in the order of `spec.bands`, and are named by
their positions there; `at` finds them by wavelength.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spectral_jax import plausible
from spectral_jax.ingest import packing
from spectral_jax.ingest.downloaded.files.rasters import Window
from spectral_jax.ingest.packing import Packing
from spectral_jax.sensors import Band, SensorSpec, nearest_bands

# Numbers of a window that are judged, evenly picked, and of how many bands.
JUDGED, JUDGED_BANDS = 1 << 12, 24


class Stored(NamedTuple):
    """A window in the numbers that a store of the sensor holds.

    Attributes:
      pixels: [C h w] of the spec's type, its nodata where missing.
      clipped: how many numbers lay outside the range of the type and were moved to its ends.
    """

    pixels: np.ndarray
    clipped: int


class Pixels(NamedTuple):
    """How a reader reads; all take positions of bands, and a window.

    Attributes:
      numbers: to the product's own numbers [C h w].
      flags: a window to flag -> bool [h w], of the product's own quality layers.
      trusted: to bool [C h w], by its quality layers of single bands; None: it has none.
    """

    numbers: Callable[[Sequence[int], Window], np.ndarray]
    flags: Callable[[Window], Mapping[str, np.ndarray]]
    trusted: Callable[[Sequence[int], Window], np.ndarray] | None = None


@dataclasses.dataclass(frozen=True)
class DownloadedProduct:
    """An open product: where and when, which bands, and how its numbers are read.

    To be closed, or used in a `with`; a process opens its own.

    Attributes:
      kind: what it is, such as "EnMAP L2A".
      name: of the product, as its agency gave it.
      spec: the sensor whose numbers a store gets.
      bands: of the product, with the wavelengths and widths of its own metadata, nm, in the order of `spec.bands`.
      packings: of each band: number * scale + offset is in `unit`, unless it is missing.
      unit: of the physical numbers; that of `spec`, or "linear power" where that is dB.
      crs: a `rasterio.crs.CRS`.
      geotransform: left edge, column width, row turn, upper edge, column turn, row height, in GDAL's order.
      shape: H and W, pixels.
      outline: corners of what was seen, longitude and latitude, degrees [n 2], from the product where it tells them.
      time: start of the observation, UTC.
      flags: flag -> what it means.
      dropped: the flags that make a pixel unclear, as the product's guides say.
      provenance: what is to be kept beside the pixels: level, versions, baseline, masks.
      notes: sentences about what differs from the spec and is no reason to refuse.
      source: how its pixels are read.
      closing: what `close` closes.
    """

    kind: str
    name: str
    spec: SensorSpec
    bands: tuple[Band, ...]
    packings: tuple[Packing, ...]
    unit: str
    crs: Any
    geotransform: tuple[float, ...]
    shape: tuple[int, int]
    outline: np.ndarray
    time: np.datetime64
    flags: Mapping[str, str]
    dropped: tuple[str, ...]
    provenance: Mapping[str, object]
    notes: tuple[str, ...]
    source: Pixels = dataclasses.field(repr=False)
    closing: contextlib.ExitStack = dataclasses.field(repr=False)

    def __enter__(self) -> "DownloadedProduct":
        return self

    def __exit__(self, *about) -> None:
        self.close()

    def close(self) -> None:
        """Closes its files, and takes away what was unpacked for it."""
        self.closing.close()

    @property
    def wavelength_nm(self) -> np.ndarray:
        """Centres of the bands, nm [C]; NaN for radar."""
        return np.array([np.nan if band.centre_nm is None else band.centre_nm for band in self.bands])

    @property
    def crosses_antimeridian(self) -> bool:
        """Whether the outline crosses the 180th meridian, so that its longitudes do not bound it."""
        return bool(np.ptp(self.outline[:, 0]) > 180.0)

    def at(self, wavelengths_nm: Sequence[float]) -> list[int]:
        """The bands at some wavelengths, nm.

        Raises:
          ValueError: no band is within its own width of one of them.
        """
        nearest, away = nearest_bands(np.nan_to_num(self.wavelength_nm, nan=np.inf), np.asarray(wavelengths_nm, float))
        for wanted, i, off in zip(wavelengths_nm, nearest, away, strict=True):
            if not off <= (self.bands[i].fwhm_nm or 0.0):
                near = self.bands[i]
                raise ValueError(
                    f"{self.name}: no band is at {wanted:g} nm; the nearest is {near.name} at {near.centre_nm} nm."
                )
        return nearest.tolist()

    def read(self, rows: slice, columns: slice, bands: Sequence[int] | None = None) -> np.ndarray:
        """The product's own numbers [C h w], in its own type, fill and all.

        Raises:
          ValueError: the window is not inside the product, no such band, or a file is damaged.
        """
        return self.source.numbers(self._chosen(bands), self._inside(rows, columns))

    def good(self, rows: slice, columns: slice, bands: Sequence[int] | None = None) -> np.ndarray:
        """Where numbers are data, bool [C h w]: no fill, and trusted by the product's quality layer of that band.

        Raises:
          ValueError: as `read`.
        """
        chosen, window = self._chosen(bands), self._inside(rows, columns)
        return self._good(self.source.numbers(chosen, window), chosen, window)

    def physical(self, rows: slice, columns: slice, bands: Sequence[int] | None = None) -> np.ndarray:
        """Numbers in `unit`, float32 [C h w], NaN where there are no data.

        Raises:
          ValueError: as `read`.
        """
        chosen, window = self._chosen(bands), self._inside(rows, columns)
        raw = self.source.numbers(chosen, window)
        return np.where(self._good(raw, chosen, window), self._unpacked(raw, chosen), np.nan).astype(np.float32)

    def flagged(self, rows: slice, columns: slice) -> dict[str, np.ndarray]:
        """Flag -> bool [h w], True where a pixel has it.

        Raises:
          ValueError: the window is not inside the product, or a quality layer is damaged.
        """
        return dict(self.source.flags(self._inside(rows, columns)))

    def clear(self, rows: slice, columns: slice, drop: Sequence[str] | None = None) -> np.ndarray:
        """Where a pixel has none of some flags, bool [h w].

        Args:
          rows: of the window.
          columns: of the window.
          drop: names of `flags`; None: those that the product's guides say (`dropped`).

        Raises:
          ValueError: no such flag, or as `flagged`.
        """
        wanted = self.dropped if drop is None else tuple(drop)
        for flag in wanted:
            if flag not in self.flags:
                raise ValueError(f"{self.name}: no flag is called {flag!r}; it has {', '.join(self.flags) or 'none'}.")
        found = self.flagged(rows, columns)
        unclear = [found[flag] for flag in wanted]
        size = rows.stop - rows.start, columns.stop - columns.start
        return ~np.logical_or.reduce(unclear) if unclear else np.ones(size, bool)

    def with_flag(self, name: str, meaning: str, where: Callable[[Window], np.ndarray]) -> "DownloadedProduct":
        """The same product with one more flag that makes a pixel unclear, such as cloud that a model found.

        Args:
          name: of the flag.
          meaning: in words.
          where: a window to bool [h w].

        Raises:
          ValueError: it has a flag of that name.
        """
        if name in self.flags:
            raise ValueError(f"{self.name}: it has a flag {name!r} already; give the new one another name.")
        before = self.source

        def flags(window: Window) -> dict[str, np.ndarray]:
            return dict(before.flags(window)) | {name: where(window)}

        return dataclasses.replace(
            self, flags=dict(self.flags) | {name: meaning}, dropped=(*self.dropped, name), source=before._replace(flags=flags)
        )

    def stored(self, rows: slice, columns: slice) -> Stored:
        """A window in the numbers that a store of `spec` holds, all bands.

        `round((number * scale + offset - spec.offset) / spec.scale)`, half to even, with 64 bits; of linear power
        `10 * log10` is taken first, and power that is not above 0 is missing. A product packed as the store is copied.

        Raises:
          ValueError: as `read`; or the numbers cannot be the quantity of the spec.
        """
        chosen, window = self._chosen(None), self._inside(rows, columns)
        raw = self.source.numbers(chosen, window)
        spec, kind = self.spec, np.dtype(self.spec.dtype)
        if self._packed_alike and raw.dtype == kind:
            # Its fill is the store's nodata too, so that nothing is left to do.
            self._judge(raw, None, window)
            return Stored(raw, 0)
        good = self._good(raw, chosen, window)
        values = self._unpacked(raw, chosen)
        if self.unit == "linear power":
            good &= values > 0
            values = 10.0 * np.log10(np.where(good, values, 1.0))
        exact = (values - spec.offset) / spec.scale
        self._judge(exact, good, window)
        whole, limits = np.rint(exact), np.iinfo(kind)
        inside = np.clip(whole, limits.min + (spec.nodata == limits.min), limits.max - (spec.nodata == limits.max))
        clipped = int(np.count_nonzero((inside != whole) & good))
        return Stored(np.where(good, inside, 0 if spec.nodata is None else int(spec.nodata)).astype(kind), clipped)

    @property
    def _packed_alike(self) -> bool:
        """Whether numbers mean in the product what they mean in a store, missing ones too."""
        spec = self.spec
        alike = Packing(spec.scale, spec.offset, () if spec.nodata is None else (spec.nodata,), stated=True)
        return self.source.trusted is None and all(one == alike for one in self.packings)

    def _unpacked(self, raw: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        scale, offset = (np.array([getattr(self.packings[i], name) for i in chosen]) for name in ("scale", "offset"))
        return raw.astype(np.float64) * scale[:, None, None] + offset[:, None, None]

    def _good(self, raw: np.ndarray, chosen: Sequence[int], window: Window) -> np.ndarray:
        rules = dict.fromkeys((self.packings[i].missing, self.packings[i].low, self.packings[i].high) for i in chosen)
        if len(rules) == 1:
            good = packing.present(raw, self.packings[chosen[0]])
        else:
            good = np.stack([packing.present(band, self.packings[i]) for band, i in zip(raw, chosen, strict=True)])
        return good if self.source.trusted is None else good & self.source.trusted(chosen, window)

    def _judge(self, exact: np.ndarray, good: np.ndarray | None, window: Window) -> None:
        """Judges numbers in steps of the store [C h w]; those of bands that no model sees may be anything.

        Without `good`, all count but the store's nodata.
        """
        spec = self.spec
        chosen = list(spec.used_index[:: max(1, len(spec.used_index) // JUDGED_BANDS)])
        step = max(1, len(chosen) * exact[0].size // JUDGED)
        some = exact.reshape(len(exact), -1)[chosen, ::step]
        there = some != spec.nodata if good is None else good.reshape(len(good), -1)[chosen, ::step]
        where = f"{self.name}, rows {window[0].start} to {window[0].stop}, columns {window[1].start} to {window[1].stop}"
        plausible.check(some * spec.scale + spec.offset, there, spec, where, advice="look at the product, and fetch it again")

    def _chosen(self, bands: Sequence[int] | None) -> list[int]:
        count = len(self.bands)
        chosen = list(range(count)) if bands is None else [int(i) for i in bands]
        wrong = [i for i in chosen if not 0 <= i < count]
        if wrong or not chosen:
            raise ValueError(f"{self.name}: expected bands from 0 to {count - 1}, got {list(bands or ())}.")
        return chosen

    def _inside(self, rows: slice, columns: slice) -> Window:
        for name, cut, side in (("rows", rows, self.shape[0]), ("columns", columns, self.shape[1])):
            ends = cut.start, cut.stop
            if None in ends or cut.step not in (None, 1) or not 0 <= ends[0] < ends[1] <= side:
                raise ValueError(f"{self.name}: expected {name} inside 0 to {side}, got {cut.start} to {cut.stop}.")
        return rows, columns
