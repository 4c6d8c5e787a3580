"""Converts weights of TerraMind, SpectralEarth, DOFA, SpecTf, HyperSIGMA, Galileo or Presto for `interop.load`, and back.

Examples:
  uv run python tools/convert_weights.py --source=terramind --input=TerraMind_v1_base.pt --out=terramind_base \
      --modalities=S2L2A --bands=S2L2A:BLUE,GREEN,RED,NIR_NARROW
  uv run python tools/convert_weights.py --source=dofa --layout=new --input=DOFA_ViT_base_e120.pth --out=dofa_base
  uv run python tools/convert_weights.py --source=galileo --input=encoder.pt --out=galileo_nano
  uv run python tools/convert_weights.py --source=terramind --to=published --input=terramind_base --out=published.safetensors

The report lists every key of the checkpoint: loaded, reshaped, or ignored and why. No PyTorch is needed, and no code in a
checkpoint is run. Prefixes such as `module.` or `model.encoder.` are taken off and named; where a file holds several sets of
weights, such as `model` and `model_ema`, --inside or --prefix chooses.
"""

import inspect
import sys
from pathlib import Path

from absl import flags, logging

from spectral_jax import launch, places
from spectral_jax.interop import folder, models, safetensors_file, weights_file

SOURCE = flags.DEFINE_enum("source", None, list(models.CONVERTERS), "Whose weights these are.", required=True)
INPUT = launch.DEFINE_place("input", None, "Checkpoint; with --to=published, the folder to read.", required=True)
OUT = launch.DEFINE_place("out", None, "Folder to write; with --to=published, the .safetensors file.", required=True)
TO = flags.DEFINE_enum("to", "ours", ["ours", "published"], "Whose names and layout the result has.")
SIZE = flags.DEFINE_string("size", None, "Refuse a checkpoint of any other size than this.")
HEADS = flags.DEFINE_integer("heads", None, "Attention heads, where the width is not a published one.")
INSIDE = flags.DEFINE_string("inside", None, "Key of the weights in a PyTorch file, such as model_ema; . for the top.")
PREFIX = flags.DEFINE_string("prefix", None, "What stands before the names of the encoder meant, such as teacher.backbone.")
LAYOUT = flags.DEFINE_enum("layout", None, ["old", "new"], "DOFA's kernel layout; nothing in a checkpoint tells which.")
RELEASE = flags.DEFINE_string("release", None, "SpecTf: v0.0.1 or v0.1.0, of weights whose numbers do not tell.")
TASK = flags.DEFINE_string("task", None, "HyperSIGMA: classes or map, of SpatSIGMA alone where nothing tells.")
TAPS = flags.DEFINE_list("taps", None, "HyperSIGMA: blocks taken out, from 0, where the width is not a published one.")
SPECTRAL_TAPS = flags.DEFINE_list("spectral_taps", None, "HyperSIGMA: those of the spectral encoder, where they are others.")
MODALITIES = flags.DEFINE_list("modalities", None, "TerraMind: names such as S2L2A; without it all that the file has.")
BANDS = flags.DEFINE_multi_string("bands", [], "TerraMind: MODALITY:BAND,BAND,... to keep, in that order; once a modality.")


def main(_: list[str]):
    """Converts one way or the other, and prints the report."""
    logging.set_verbosity(logging.WARNING)
    try:
        _publish() if TO.value == "published" else _convert()
    except (ValueError, OSError) as error:
        sys.exit(f"convert_weights: {error}")


def _convert():
    options = _options()
    out = places.for_folder(Path(OUT.value), "--out")
    weights = weights_file.read(INPUT.value, INSIDE.value)
    cfg, params, account = models.read(SOURCE.value, weights, PREFIX.value, **options)
    folder.save(out, cfg, params, account)
    print(account.text())
    if getattr(cfg, "heads", 1) is None:
        print(f"The number of heads is not in the file and {cfg.width} is not a published width; convert again with --heads.")
    print(f"Written to {out}; take it with interop.load({str(out)!r}).")


def _options() -> dict:
    """What the flags say of the options that the source's `read` has."""
    modalities = None if MODALITIES.value is None else tuple(MODALITIES.value)
    said = {"heads": HEADS.value, "size": SIZE.value, "layout": LAYOUT.value, "modalities": modalities, "bands": _bands()}
    said |= {"release": RELEASE.value, "task": TASK.value, "taps": _blocks(TAPS), "spectral_taps": _blocks(SPECTRAL_TAPS)}
    said = {name: value for name, value in said.items() if value not in (None, {})}
    takes = dict(list(inspect.signature(models.CONVERTERS[SOURCE.value].read).parameters.items())[1:])
    strange = [name for name in said if name not in takes]
    if strange:
        flags_taken = ", ".join(f"--{name}" for name in takes)
        raise ValueError(f"--{strange[0]} says nothing of weights of {SOURCE.value}; they take {flags_taken}.")
    missing = [name for name, option in takes.items() if option.default is option.empty and name not in said]
    if missing:
        raise ValueError(f"--source={SOURCE.value} needs --{missing[0]}: nothing in a checkpoint tells it; see --help.")
    return said


def _publish():
    for flag in (INSIDE, PREFIX):
        if flag.value is not None:
            raise ValueError(
                f"--{flag.name} says where in a checkpoint the weights are; --to=published reads a folder without it."
            )
    out = places.for_file(Path(OUT.value), "--out")
    kind = models.kind_of(folder.load(INPUT.value)[0])
    if models.family_of(kind) != SOURCE.value:
        raise ValueError(f"{INPUT.value} holds a {kind}, expected --source={SOURCE.value}.")
    state = folder.publish(INPUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    safetensors_file.write(out, state)
    print(f"{len(state)} tensors by their published names written to {out}.")


def _blocks(flag) -> tuple[int, ...] | None:
    if flag.value is not None and not all(text.strip().isdecimal() for text in flag.value):
        raise ValueError(
            f"--{flag.name}: expected numbers of blocks with commas between, from 0, got {','.join(flag.value)!r}."
        )
    return None if flag.value is None else tuple(int(text) for text in flag.value)


def _bands() -> dict[str, tuple[str, ...]]:
    pairs = [text.partition(":") for text in BANDS.value]
    wrong = [text for text, (_, colon, _) in zip(BANDS.value, pairs, strict=True) if not colon]
    if wrong:
        raise ValueError(f"--bands: expected MODALITY:BAND,BAND,..., such as S2L2A:BLUE,GREEN,RED, got {wrong[0]!r}.")
    twice = [name for i, (name, _, _) in enumerate(pairs) if name in [n for n, _, _ in pairs[:i]]]
    if twice:
        raise ValueError(f"--bands: {twice[0]} is given twice; name all its bands at once, with commas between.")
    return {name: tuple(bands.split(",")) for name, _, bands in pairs}


if __name__ == "__main__":
    launch.run(main)
