"""Maps a scene with a model that was fitted by `spectral-jax adapt`: classes with probabilities, or quantities.

python tools/predict.py scene.tif --model=WORKDIR/models/ours_none --out=map.tif          # a map, a picture and a page
"""

import shlex
import sys
from pathlib import Path

from absl import flags

from spectral_jax import launch

MODEL = launch.DEFINE_place("model", None, "Folder of a model: WORKDIR/models/ROW of spectral-jax adapt.", required=True)
OUT = launch.DEFINE_place("out", "map.tif", "GeoTIFF to write; of classes their probabilities stand beside it.", "file")
INT8 = flags.DEFINE_bool("int8", False, "Probabilities and quantities as whole numbers of 8 bits with scale and offset.")
OVERLAP = flags.DEFINE_float("overlap", None, "Share of a window's side that neighbouring windows share, 0 to 0.5.")
OFFSET = flags.DEFINE_string("offset", None, "Sentinel-2: number to subtract (0 or 1000); found where not given.")
PAGE = flags.DEFINE_bool("page", True, "Write a picture and a page beside the map.")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str], scenes: list[str]) -> None:
    """One map."""
    if overrides:
        raise ValueError(f"{overrides[0]}: the config is that of the model; this command takes no overrides.")
    if len(scenes) != 1 or Path(OUT.value).suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(
            f"expected one scene and an --out that ends in .tif, got {len(scenes)} and {OUT.value}; give predict SCENE.tif "
            "--model=FOLDER --out=map.tif."
        )
    from spectral_jax import places
    from spectral_jax.maps.prediction import predict_scene

    command = shlex.join(["spectral-jax", "predict", *sys.argv[1:]])
    scene, model, out = places.local(scenes[0], "SCENE"), Path(MODEL.value), Path(OUT.value)
    print(predict_scene(scene, model, out, INT8.value, OVERLAP.value, OFFSET.value, PAGE.value, command), flush=True)


main = launch.script("predict", job, "...", words=True)

if __name__ == "__main__":
    launch.run(main)
