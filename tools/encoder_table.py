r"""Writes the one table of encoders: all of them and the bands themselves, frozen, on five tasks, into a block of a page.

python tools/encoder_table.py --data=DIR --out=docs/encoders.md \
    --weights=presto:DIR,galileo:DIR,spectf:DIR,ours_finest:spectral-mini,ours_pixels:spectral-mini
"""

import json
from functools import partial
from pathlib import Path

from absl import flags

from spectral_jax import launch
from spectral_jax.sentences import unknown

DATA = launch.DEFINE_place(
    "data", None, "Folder of the tasks' folders: enmap_potsdam, terramesh, fuel_moisture, algae_blooms.", "folder"
)
OUT = launch.DEFINE_place("out", None, "Page with the marks of the table; empty: it is printed.")
RECORD = launch.DEFINE_place(
    "record", None, "JSON that gets every score; what it holds already of the same weights and size is not measured again."
)
WEIGHTS = flags.DEFINE_list(
    "weights", [], "ENCODER:FOLDER each; of ours a work folder of pretraining or a model's name. Those without one are random."
)
TASKS = flags.DEFINE_list(
    "tasks", ["potsdam", "terramesh", "fuel_moisture", "algae_blooms", "simulated"], "Columns of the table."
)
ENCODERS = flags.DEFINE_list("encoders", [], "Encoders of the table; empty: all of them.")
SEEDS = flags.DEFINE_integer("seeds", 3, "Draws of few labels and of random weights.", lower_bound=1)
PLACES = flags.DEFINE_list("places", ["480", "500"], "Simulated places that train and test.")
flags.adopt_module_key_flags(launch)
FOLDERS = {"potsdam": "enmap_potsdam", "simulated": ""}


def _keep(record: dict) -> None:
    if RECORD.value:
        Path(RECORD.value).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def job(overrides: list[str]) -> None:
    """The table."""
    import spectral_jax
    from spectral_jax import interop
    from spectral_jax.adapt.settings import WeightFolders
    from spectral_jax.adapt.survey import block, contestants
    from spectral_jax.adapt.survey.take import Size, take

    del overrides
    named = dict(text.split(":", 1) if ":" in text else (text, "") for text in WEIGHTS.value)
    known = list(contestants.ADAPTATIONS)
    for name, folder in named.items():
        if name not in known:
            raise unknown("--weights", "encoder", name, known, most=len(known))
        if not folder:
            raise ValueError(f"--weights: expected ENCODER:FOLDER, such as {name}:/tmp/{name}, got {name!r}.")
        # Before anything is measured: a cell that cannot be is left out, weights that are not there must not be.
        (spectral_jax.load if name in contestants.OURS else interop.load)(folder)
    if not DATA.value and set(TASKS.value) != {"simulated"}:
        raise ValueError("--data=DIR is needed: the folder of the tasks' folders; or --tasks=simulated.")
    if OUT.value:
        block.check(Path(OUT.value))
    folders = {name: str(Path(DATA.value or "") / FOLDERS.get(name, name)) for name in TASKS.value}
    train, test = map(int, PLACES.value)
    size = Size(SEEDS.value, train, test, *([tuple(ENCODERS.value)] if ENCODERS.value else []))
    before = (
        json.loads(Path(RECORD.value).read_text(encoding="utf-8")) if RECORD.value and Path(RECORD.value).is_file() else None
    )
    record = take(folders, WeightFolders(**named), size, partial(print, flush=True), _keep, before)
    text = block.written(record)
    if OUT.value:
        block.put(Path(OUT.value), text)
    print(f"\n{text}")


main = launch.script("encoder_table", job, "(none)")

if __name__ == "__main__":
    launch.run(main)
