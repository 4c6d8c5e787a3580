"""Products with what a model says of them among their flags, window by window, each window looked at once."""

import collections
import dataclasses

import numpy as np

from spectral_jax.ingest.downloaded.files.rasters import Window
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.ingest.masks import by_omnicloudmask, by_spectf
from spectral_jax.ingest.masks.asked import NONE, OMNICLOUDMASK, SPECTF, Asked
from spectral_jax.sensors import SensorSpec

# Flags of the products that say that a pixel holds no data.
BLANK = ("outside", "background", "no_data", "fill")
FLAG = "model_cloud"
# Bytes of windows that are remembered, a bit a pixel: 32,000 of 128 x 128 pixels.
REMEMBERED = 64 * 2**20
MEANING = {
    SPECTF: "cloud by SpecTf, of surface reflectance, which its weights were not trained on",
    OMNICLOUDMASK: "cloud or its shadow by OmniCloudMask",
}


class CloudFinder:
    """Gives products the flag that was asked for.

    What was found is remembered, as a plan and the patches after it ask for the same windows. A copy in another process
    remembers nothing.
    """

    def __init__(self, asked: Asked = Asked()):  # noqa: B008  # frozen
        """Looks at nothing yet."""
        self.asked = asked
        self._found: collections.OrderedDict[tuple, tuple[np.ndarray, tuple[int, ...]]] = collections.OrderedDict()
        self._bytes = 0

    def __reduce__(self):
        return CloudFinder, (self.asked,)

    def check(self) -> None:
        """Looks whether the models that are asked for are there.

        Raises:
          ImportError: a library is not installed.
          FileNotFoundError, ValueError: weights are missing, or of another model.
        """
        if SPECTF in self.asked.ways:
            by_spectf.loaded(self.asked.weights)
        if OMNICLOUDMASK in self.asked.ways:
            by_omnicloudmask.library()

    def way_of(self, spec: SensorSpec) -> str | None:
        """The model that looks at a sensor's products; None where they tell cloud themselves, or nothing does."""
        if SPECTF in self.asked.ways and by_spectf.takes(spec):
            return SPECTF
        return OMNICLOUDMASK if OMNICLOUDMASK in self.asked.ways and by_omnicloudmask.takes(spec) else None

    def expect_use(self, specs: list[SensorSpec]) -> None:
        """Refuses models that look at none of some sensors.

        Raises:
          ValueError: a model is asked for and takes none of them.
        """
        for way, takes, which in (
            (SPECTF, by_spectf.takes, "spectra from 500 to 2200 nm: EnMAP, EMIT and PRISMA"),
            (OMNICLOUDMASK, by_omnicloudmask.takes, "Sentinel-2 and Landsat"),
        ):
            if way in self.asked.ways and not any(map(takes, specs)):
                named = ", ".join(dict.fromkeys(spec.name for spec in specs)) or "nothing"
                raise ValueError(
                    f"clouds={way}: it looks at {which}, and there is {named}; leave it out, so that the products' own layers "
                    "tell cloud."
                )

    def told(self, spec: SensorSpec) -> str:
        """What looks at a sensor's products beside their own layers, as the end of a line; empty where nothing does."""
        way = self.way_of(spec)
        least = f"from {self.asked.threshold:g} on" if self.asked.threshold else "as published"
        return "" if way is None else f"; {FLAG}: {MEANING[way]} ({least})"

    def __call__(self, product: DownloadedProduct) -> DownloadedProduct:
        """The product, with a flag `model_cloud` that makes a pixel unclear where a model looks at its sensor."""
        if NONE in self.asked.ways:
            return dataclasses.replace(product, dropped=tuple(flag for flag in product.dropped if flag in BLANK))
        way = self.way_of(product.spec)
        if way is None:
            return product
        return product.with_flag(FLAG, MEANING[way], lambda window: self._flagged(product, way, window))

    def _flagged(self, product: DownloadedProduct, way: str, window: Window) -> np.ndarray:
        at = (product.name, product.spec.name, *((cut.start, cut.stop) for cut in window))
        if at not in self._found:
            if way == SPECTF:
                flags = product.source.flags(window)
                size = tuple(cut.stop - cut.start for cut in window)
                clear = ~np.logical_or.reduce([np.zeros(size, bool), *(flags[flag] for flag in product.dropped)])
                found = by_spectf.cloudy(product, window, clear, self.asked.weights, self.asked.threshold)
            else:
                found = by_omnicloudmask.unclear(product, window, self.asked.threshold)
            self._found[at] = np.packbits(found), found.shape
            self._bytes += self._found[at][0].nbytes
            while self._bytes > REMEMBERED:
                self._bytes -= self._found.popitem(last=False)[1][0].nbytes
        self._found.move_to_end(at)
        bits, shape = self._found[at]
        return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
