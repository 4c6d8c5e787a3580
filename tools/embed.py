"""Embeds the locations of a store, or the patches of a GeoTIFF, with a pretrained encoder.

python tools/embed.py --checkpoint=RUN --store=my.zarr --out=embeddings.npz
python tools/embed.py --checkpoint=RUN --image=tile.tif --sensor=ENMAP --out=embeddings.npz
python tools/embed.py --checkpoint=spectral-mini --image=prisma.tif --sensor=prisma_l2d --level=pixels --out=embeddings.npz
"""

from pathlib import Path

from absl import flags

from spectral_jax import launch

CHECKPOINT = launch.DEFINE_place(
    "checkpoint",
    None,
    "Work folder or checkpoint of a pretraining run, or a model's name: spectral-mini.",
    "checkpoint",
    required=True,
)
STORE = launch.DEFINE_place("store", None, "Store whose locations are embedded.", "store")
IMAGE = launch.DEFINE_place("image", None, "GeoTIFF whose patches are embedded, with --sensor.")
SENSOR = flags.DEFINE_string(
    "sensor", None, "Key of the image's sensor in the run's config, such as ENMAP; or of data_specs/sensors: prisma_l2d."
)
OFFSET = flags.DEFINE_string("offset", None, "Sentinel-2: number to subtract (0 or 1000); found where not given.")
LEVEL = flags.DEFINE_string(
    "level",
    "pooled",
    "What is kept of a patch: pooled, or mean and deviation of pixels (of a stem), stage1, stage2, fused, stage3.",
)
OUT = launch.DEFINE_place("out", "embeddings.npz", "File to write.", "file")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> None:
    """One file of embeddings."""
    if overrides:
        raise ValueError(f"{overrides[0]}: the config is that of the checkpoint; this command takes no overrides.")
    if bool(STORE.value) == bool(IMAGE.value):
        raise ValueError("expected either --store=STORE or --image=FILE with --sensor=KEY; give one of the two.")
    if IMAGE.value and not SENSOR.value:
        raise ValueError("--image needs --sensor=KEY, the sensor's key in the run's config.")
    from spectral_jax.pretrain import embed

    run, out = CHECKPOINT.value, Path(OUT.value)
    if STORE.value:
        print(embed.embed_store(run, STORE.value, out, LEVEL.value), flush=True)
    else:
        said = embed.embed_image(run, Path(IMAGE.value), SENSOR.value, out, offset=OFFSET.value, level=LEVEL.value)
        print(said, flush=True)


main = launch.script("embed", job, "...")

if __name__ == "__main__":
    launch.run(main)
