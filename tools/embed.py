"""Embeds a scene as a map, the locations of a store, or the patches of a GeoTIFF, with a pretrained encoder.

python tools/embed.py scene.tif --encoder=spectral-mini --out=map.tif                    # a map, a picture and a page
python tools/embed.py scene.tif --encoder=RUN --level=stage2 --components=3 --int8 --out=map.tif
python tools/embed.py scene.tif --encoder=presto --weights=FOLDER --out=map.tif            # an encoder of others
python tools/embed.py --encoder=RUN --store=my.zarr --out=embeddings.npz
python tools/embed.py --encoder=RUN --image=tile.tif --sensor=ENMAP --out=embeddings.npz
python tools/embed.py --encoder=spectral-mini --image=prisma.tif --sensor=prisma_l2d --level=pixels --out=embeddings.npz
"""

import shlex
import sys
from pathlib import Path

from absl import flags

from spectral_jax import launch

MAP = (".tif", ".tiff")
ENCODER = launch.DEFINE_place(
    "encoder", None, "A model's name (spectral-mini), or the work folder or a checkpoint of a pretraining run; for maps with "
    "--weights an encoder of others, as adapt's rows name it: presto, or presto/srf with what is done to bands.", "checkpoint"
)  # fmt: skip
WEIGHTS = launch.DEFINE_place("weights", None, "Map: folder of an encoder's weights, of tools/convert_weights.py.")
CHECKPOINT = launch.DEFINE_place("checkpoint", None, "Another name of --encoder.", "checkpoint")
STORE = launch.DEFINE_place("store", None, "Store whose locations are embedded.", "store")
IMAGE = launch.DEFINE_place("image", None, "GeoTIFF whose patches are embedded, with --sensor; or the scene of a map.")
SENSOR = flags.DEFINE_string(
    "sensor",
    None,
    "Key of the image's sensor in the run's config, such as ENMAP; or of data_specs/sensors: prisma_l2d. Maps find it by the "
    "bands.",
)
OFFSET = flags.DEFINE_string("offset", None, "Sentinel-2: number to subtract (0 or 1000); found where not given.")
LEVEL = flags.DEFINE_string(
    "level",
    None,
    "Level of the encoder: pixels (of a stem), stage1, stage2, fused, stage3, pooled. A map has the finest unless told "
    "otherwise; of a patch pooled is kept, or mean and deviation of another level.",
)
COMPONENTS = flags.DEFINE_integer("components", None, "Map: write so many principal components, such as 3 for eyes.")
INT8 = flags.DEFINE_bool("int8", False, "Map: whole numbers of 8 bits, with a scale and an offset for each band.")
OVERLAP = flags.DEFINE_float("overlap", None, "Map: share of a window's side that neighbouring windows share, 0 to 0.5.")
PAGE = flags.DEFINE_bool("page", True, "Map: write a picture and a page beside it.")
OUT = launch.DEFINE_place("out", "embeddings.npz", "File to write; a map where it ends in .tif.", "file")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str], scenes: list[str]) -> None:
    """One map, or one file of embeddings."""
    if overrides:
        raise ValueError(f"{overrides[0]}: the config is that of the encoder; this command takes no overrides.")
    if not (ENCODER.value or CHECKPOINT.value):
        raise ValueError("--encoder is needed: a model's name, such as spectral-mini, or a run's work folder.")
    encoder, out = ENCODER.value or CHECKPOINT.value, Path(OUT.value)
    if out.suffix.lower() in MAP:
        _map([*scenes, *([IMAGE.value] if IMAGE.value else [])], encoder, out)
        return
    _refuse(scenes)
    from spectral_jax.model.encoder.readout import POOLED
    from spectral_jax.pretrain import embed

    level = LEVEL.value or POOLED
    if STORE.value:
        print(embed.embed_store(encoder, STORE.value, out, level), flush=True)
    else:
        said = embed.embed_image(encoder, Path(IMAGE.value), SENSOR.value, out, offset=OFFSET.value, level=level)
        print(said, flush=True)


def _map(scenes: list[str], encoder: str, out: Path) -> None:
    if len(scenes) != 1 or STORE.value:
        raise ValueError(
            f"a map is made of one scene, and there are {len(scenes)}{' and a store' if STORE.value else ''}; give "
            "embed SCENE.tif --encoder=NAME --out=map.tif."
        )
    from spectral_jax import places
    from spectral_jax.maps.embedding import Choices, embed_scene

    choices = Choices(
        LEVEL.value, COMPONENTS.value, INT8.value, OVERLAP.value, SENSOR.value, OFFSET.value, PAGE.value, WEIGHTS.value
    )
    command = shlex.join(["spectral-jax", "embed", *sys.argv[1:]])
    print(embed_scene(places.local(scenes[0], "SCENE"), encoder, out, choices, command), flush=True)


def _refuse(scenes: list[str]) -> None:
    """What the files of embeddings do not take."""
    of_maps = {"components": COMPONENTS.value, "int8": INT8.value or None, "overlap": OVERLAP.value, "weights": WEIGHTS.value}
    given = next((name for name, value in of_maps.items() if value is not None), None)
    if scenes or given:
        what = f"--{given}" if given else f"the scene {scenes[0]}"
        raise ValueError(f"{what} is for maps, and --out={OUT.value} is none; let it end in .tif.")
    if bool(STORE.value) == bool(IMAGE.value):
        raise ValueError("expected either --store=STORE or --image=FILE with --sensor=KEY; give one of the two.")
    if IMAGE.value and not SENSOR.value:
        raise ValueError("--image needs --sensor=KEY, the sensor's key in the run's config.")


main = launch.script("embed", job, "...", words=True)

if __name__ == "__main__":
    launch.run(main)
