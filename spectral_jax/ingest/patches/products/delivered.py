"""Products as agencies deliver them, of one sensor and on its own grid; what is in degrees or of other pixels is refused."""

from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.masks import asked
from spectral_jax.ingest.masks.finder import CloudFinder
from spectral_jax.ingest.patches.products.deliveries import Deliveries
from spectral_jax.ingest.patches.products.product import Option, Product, Reader

# Sensor -> its key in a store, as `config.spectralearth_sensors` has them.
KEYS = {
    "enmap_l2a": "ENMAP", "desis_l2a": "DESIS", "prisma_l2d": "PRISMA", "emit_l2a": "EMIT", "sentinel2a_l2a": "S2",
    "sentinel2b_l2a": "S2", "sentinel2c_l2a": "S2", "landsat8_oli": "LO", "landsat9_oli": "LO", "landsat_st": "LT",
    "sentinel1_rtc": "S1",
}  # fmt: skip


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """The product that the first delivery of the folder is; all others have to be of its sensor.

    Raises:
      FileNotFoundError, ValueError: the folder holds none, the first is damaged, or the model that is to tell cloud does not
        look at its sensor, or has no weights.
      ImportError: that model's library is not installed.
    """
    how = asked.of_options((str(options["clouds"]),), options["cloud_weights"], options["cloud_threshold"])
    masked = CloudFinder(how)
    masked.check()
    deliveries = Deliveries(options["sensor"], str(options["unclear"]), masked)
    paths = deliveries.files(folder, "product=delivered")
    first = deliveries.of(paths[0])
    masked.expect_use([first.spec])
    told = f"{first.kind}: {first.spec.name}, unclear ({', '.join(first.dropped) or 'no flag'}): {options['unclear']}"
    told += masked.told(first.spec)
    return Product(
        KEYS[first.spec.name], first.spec, by_wavelength=True, scale=first.spec.scale, told=told, deliveries=deliveries
    )


READER = Reader(
    "products as agencies deliver them, one sensor a folder: EnMAP, DESIS, PRISMA, Sentinel-2, Landsat, Sentinel-1 RTC",
    product,
    {
        "sensor": Option("the spec of the store, such as landsat_st; from the products' names where not given"),
        "unclear": Option(
            "pixels that the product's own quality layers call cloud, shadow or damaged", "missing", ("missing", "keep")
        ),
        "clouds": Option(
            "what tells cloud: product, its own layers; spectf (EnMAP, PRISMA) or omnicloudmask (Sentinel-2, Landsat), "
            "joined with these; none",
            asked.PRODUCT,
            asked.WAYS,
        ),
        "cloud_weights": Option(
            "folder of SpecTf's weights, of tools/convert_weights.py. It looks at some 350 pixels a second on two cores"
        ),
        "cloud_threshold": Option("probability of cloud from which on a pixel is unclear; as published where not given"),
    },
)
