import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import flagsaver
from made import hypersigma_state
from made.oracle_file import assert_same_state, part
from made.torch_archive import plain, write

from spectral_jax import interop
from spectral_jax.interop import names, safetensors_file
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig

TOOL = Path(__file__).resolve().parents[2] / "tools" / "convert_weights.py"


@pytest.fixture(scope="module")
def tool(load_command):
    return load_command(TOOL)


def convert(tool, **flags):
    with flagsaver.flagsaver(**flags):
        tool["main"]([])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "oracle", "more"),
    [
        ("terramind", "terramind_gelu", {}),
        ("terramind", "terramind_swiglu_s2_s1", {"heads": 3}),
        ("spectralearth", "spectralearth_vit_202bands", {}),
        ("dofa", "dofa_v1", {"layout": "new"}),
    ],
)
def test_an_oracle_goes_in_and_comes_out_bit_by_bit(tool, oracles, tmp_path, capsys, source, oracle, more):
    path, out, back = oracles / f"{oracle}.npz", str(tmp_path / "ours"), str(tmp_path / "back.safetensors")
    convert(tool, source=source, input=str(path), out=out, **more)
    said = capsys.readouterr().out
    assert f"{oracle}.npz: " in said
    assert "none missing." in said
    assert ("convert again with --heads" in said) is (oracle == "terramind_gelu")
    cfg, params = interop.load(out)
    assert all(isinstance(leaf, jnp.ndarray) for leaf in names.flatten(params).values())
    report = json.loads((tmp_path / "ours" / "report.json").read_text())
    state = part(path, "state")
    assert {row["key"] for row in report["keys"]} == set(state)
    convert(tool, source=source, input=out, out=back, to="published")
    assert_same_state(safetensors_file.read(back), state)
    # What was published is read again as the same encoder.
    convert(tool, source=source, input=back, out=str(tmp_path / "again"), **{"heads": cfg.heads, **more})
    assert_same_state(
        names.flatten(interop.load(tmp_path / "again")[1]), {k: np.asarray(v) for k, v in names.flatten(params).items()}
    )
    assert interop.load(tmp_path / "again")[0] == cfg


@pytest.mark.parametrize("release", ["v0.0.1", "v0.1.0"])
def test_released_weights_of_spectf_go_in_and_come_out(tool, released, tmp_path, capsys, release):
    file = str(released / "spectf_cloud" / f"weights_{release}.pt")
    out, back = str(tmp_path / "ours"), str(tmp_path / "back.safetensors")
    convert(tool, source="spectf", input=file, out=out)
    assert f"weights_{release}.pt: 10 loaded, 6 reshaped, 0 ignored, 0 absent, none missing." in capsys.readouterr().out
    assert interop.load(out)[0].release == release
    convert(tool, source="spectf", input=out, out=back, to="published")
    assert_same_state(safetensors_file.read(back), interop.read(file).tensors)
    # The numbers tell the release in another file too, and another one is refused.
    convert(tool, source="spectf", input=back, out=str(tmp_path / "again"), release=release, heads=8)
    with pytest.raises(SystemExit, match=f"convert_weights: back.safetensors holds the numbers of SpecTf {release}, expected "):
        convert(tool, source="spectf", input=back, out=str(tmp_path / "other"), release="v0.0.1v0.1.0".replace(release, ""))


def test_a_fusion_of_hypersigma_goes_in_and_comes_out(tool, tmp_path, capsys, monkeypatch, rng):
    state = hypersigma_state.random_state(rng, hypersigma_state.fused("map", 8, 32))
    out, back, file = str(tmp_path / "ours"), str(tmp_path / "back.safetensors"), str(tmp_path / "a.pth")
    write(tmp_path / "a.pth", {"model": {k: plain(v) for k, v in state.items()}, "epoch": 9}, monkeypatch)
    said = dict(source="hypersigma", input=file, heads=3, taps=["0", "0", "1", "1"])
    convert(tool, out=out, spectral_taps=["0", "0", "1", "1"], **said)
    assert ", 1 ignored, 0 absent, none missing." in capsys.readouterr().out
    assert interop.load(out)[0] == hypersigma_state.fused("map", 8, 32)
    convert(tool, source="hypersigma", input=out, out=back, to="published")
    assert_same_state(safetensors_file.read(back), state)
    with pytest.raises(SystemExit, match="--taps: expected numbers of blocks with commas between, from 0, got '0,last'"):
        convert(tool, out=str(tmp_path / "b"), **{**said, "taps": ["0", "last"]})
    with pytest.raises(SystemExit, match="--layout says nothing of weights of hypersigma; they take --heads, --size, --taps, "):
        convert(tool, out=str(tmp_path / "b"), layout="new", **said)


def test_pretraining_of_hypersigma_goes_in(tool, tmp_path, capsys, rng):
    cfg = SpatialConfig(hypersigma_state.trunk(interval=1, points=8), 4, 8, (8, 8), "tokens")
    state = hypersigma_state.random_state(rng, cfg) | {"decoder_pred.weight": np.zeros((256, 512), np.float32)}
    state |= {"mask_token": np.zeros((1, 1, 512), np.float32), "norm.bias": np.zeros(10, np.float32)}
    safetensors_file.write(tmp_path / "a.safetensors", state)
    flags = dict(heads=3, taps=["0", "0", "1", "1"], input=str(tmp_path / "a.safetensors"))
    convert(tool, source="hypersigma", out=str(tmp_path / "ours"), **flags)
    assert "3 ignored, 0 absent, none missing." in capsys.readouterr().out
    assert interop.load(tmp_path / "ours")[0] == cfg


def test_a_pytorch_file_gives_what_the_arrays_give(tool, oracles, tmp_path, monkeypatch):
    path = oracles / "terramind_gelu.npz"
    state = part(path, "state")
    write(tmp_path / "a.pt", {"state_dict": {k: plain(v) for k, v in state.items()}, "epoch": 9}, monkeypatch)
    bands = ["S2L2A:BLUE,GREEN,RED"]
    for source, out in ((tmp_path / "a.pt", "a"), (path, "b")):
        convert(tool, source="terramind", input=str(source), out=str(tmp_path / out), heads=4, bands=bands)
    (first, params), (second, others) = (interop.load(tmp_path / out) for out in "ab")
    assert first == second
    assert first.modalities[0].bands == ("BLUE", "GREEN", "RED")
    assert_same_state(*({k: np.asarray(v) for k, v in names.flatten(tree).items()} for tree in (params, others)))
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert {"key": "epoch", "outcome": "ignored", "detail": "beside the weights in the file"} in report["keys"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (dict(source="dofa", input="{oracles}/dofa_v1.npz"), "--source=dofa needs --layout: nothing in a checkpoint tells it"),
        (
            dict(source="spectralearth", input="{oracles}/spectralearth_vit_202bands.npz", layout="new"),
            "--layout says nothing of weights of spectralearth; they take --heads, --size",
        ),
        (
            dict(source="dofa", input="{oracles}/terramind_gelu.npz", layout="new"),
            "looks like terramind .64 wide., expected dofa",
        ),
        (dict(source="terramind", input="{oracles}/nowhere.npz"), "nowhere.npz does not exist"),
        (dict(source="dofa", input="{oracles}/dofa_v1.npz", layout="new", heads=0), "divides its width of 48, got 0"),
        (dict(source="dofa", input="{oracles}/dofa_v1.npz", layout="new", heads=5), "5 does not divide the width 48"),
        (
            dict(source="terramind", input="{oracles}/terramind_gelu.npz", bands=["S2L2A:RED", "S2L2A:BLUE"]),
            "--bands: S2L2A is given twice",
        ),
        (dict(source="terramind", input="{oracles}/terramind_gelu.npz", bands=["RED"]), "--bands: expected MODALITY:BAND,BAND"),
        (dict(source="terramind", input="{oracles}", to="published"), "config.json does not exist; expected a folder"),
    ],
)
def test_expected_failures_are_one_sentence(tool, oracles, tmp_path, flags, sentence):
    flags = flags | {"input": flags["input"].format(oracles=oracles), "out": str(tmp_path / "out")}
    with pytest.raises(SystemExit, match=f"convert_weights: .*{sentence}") as caught:
        convert(tool, **flags)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_source_or_with_other_weights_is_refused(tool, oracles, tmp_path):
    out = str(tmp_path / "out")
    convert(tool, source="dofa", input=str(oracles / "dofa_v1.npz"), out=out, layout="new")
    with pytest.raises(SystemExit, match="holds a dofa, expected --source=terramind"):
        convert(tool, source="terramind", input=out, out=str(tmp_path / "back"), to="published")
    file = tmp_path / "out" / "weights.safetensors"
    flat = safetensors_file.read(file)
    flat["class/token"] = flat["class/token"][:-1]
    safetensors_file.write(file, flat)
    with pytest.raises(ValueError, match=r"class/token has \[47\], expected \[48\] of its config"):
        interop.load(out)
    (tmp_path / "out" / "config.json").write_text('{"kind": "spectralearth_resnt"}')
    with pytest.raises(
        ValueError,
        match="config.json: no kind of encoder is called 'spectralearth_resnt'; .* closest first: spectralearth_resnet, ",
    ):
        interop.load(out)


def test_a_place_that_cannot_be_written_is_told_before_the_file_is_read(tool, tmp_path):
    (tmp_path / "file").touch()
    for out in ("file", "file/deeper"):
        with pytest.raises(SystemExit, match="convert_weights: --out: .*file.* is a file; name another place"):
            convert(tool, source="terramind", input=str(tmp_path / "nowhere.npz"), out=str(tmp_path / out))
    with pytest.raises(SystemExit, match="--out: expected a file, and .* is a folder; name a file in it"):
        convert(tool, source="terramind", input=str(tmp_path / "nowhere"), out=str(tmp_path), to="published")
    with pytest.raises(SystemExit, match="--prefix says where in a checkpoint the weights are; --to=published reads a folder"):
        convert(tool, source="terramind", input=str(tmp_path), out=str(tmp_path / "a"), to="published", prefix="module.")


def test_one_of_two_sets_of_weights_is_chosen_by_its_prefix(tool, oracles, tmp_path, capsys):
    state = part(oracles / "dofa_v1.npz", "state")
    both = {f"student.{k}": v for k, v in state.items()} | {f"teacher.{k}": v + 1 for k, v in state.items()}
    safetensors_file.write(tmp_path / "a.safetensors", both)
    flags = dict(source="dofa", layout="new", input=str(tmp_path / "a.safetensors"), out=str(tmp_path / "out"))
    with pytest.raises(SystemExit, match=r"holds weights of dofa under 'student\.' and 'teacher\.'; choose one by --prefix"):
        convert(tool, **flags)
    assert not (tmp_path / "out").exists()
    convert(tool, **flags, prefix="teacher.")
    assert "All keys that were loaded begin with 'teacher.', which was taken off." in capsys.readouterr().out
    assert_same_state(interop.publish(tmp_path / "out"), {k: v + 1 for k, v in state.items()})


@pytest.mark.slow
@pytest.mark.parametrize(("source", "file"), [("galileo", "galileo_nano/encoder.pt"), ("presto", "presto/default_model.pt")])
def test_a_released_file_goes_in_and_comes_out_bit_by_bit(tool, released, tmp_path, capsys, source, file):
    out, back = str(tmp_path / "ours"), str(tmp_path / "back.safetensors")
    convert(tool, source=source, input=str(released / file), out=out)
    assert "none missing." in capsys.readouterr().out
    convert(tool, source=source, input=out, out=back, to="published")
    assert_same_state(safetensors_file.read(back), interop.read(released / file).tensors)
