"""A comparison of adaptations end to end on a tiny task, and the sentences about what does not do."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from made import tiny_adapt
from made.tiny_tasks import write_pair
from scipy import stats

from spectral_jax import api, interop
from spectral_jax.adapt import protocols
from spectral_jax.adapt.fit import adapted, prepared
from spectral_jax.adapt.fit.prepared import RANDOM
from spectral_jax.adapt.fit.supervised import buffers_of, evaluate, fit, task_loss
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.adapt.run import adapt
from spectral_jax.adapt.score import tables
from spectral_jax.adapt.settings import WeightFolders
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, SensorInput, model_size
from spectral_jax.interop.account import Account
from spectral_jax.interop.terramind_bands import modality
from spectral_jax.model.encoder import encode
from spectral_jax.model.published import terramind
from spectral_jax.objective import supervised
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate import task

ROWS = ("terramind/nearest", "terramind/wavelength_attention", "spectralearth/none")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "simulate", lambda *_: tiny_adapt.segmentation())
        return folder, adapt(tiny_adapt.run(ROWS), folder, command="python experiments/adapt.py")


def stored(run, name):
    return json.loads((run[0] / name).read_text())


@pytest.mark.slow
def test_results_are_rows_of_the_promised_form(run):
    rows = stored(run, "results.json")
    assert isinstance(rows, list)
    for row in rows:
        assert {"encoder", "adaptation", "task", "protocol", "metric", "seed", "value"} <= set(row)
        assert row["value"] is None or 0 <= row["value"] <= 1
    lines = {(r["encoder"], r["adaptation"]) for r in rows}
    assert lines == {tuple(row.split("/")) for row in ROWS} | {("pixel logistic regression", "none")}
    for line in lines:
        for metric in ("iou_macro", "iou_micro", "iou_per_class/dark", "accuracy_overall", "accuracy_mean"):
            mine = [r["seed"] for r in rows if (r["encoder"], r["adaptation"]) == line and r["metric"] == metric]
            assert mine == [0, 1]
    assert {r["task"] for r in rows} == {"tiny"}
    assert {r["protocol"] for r in rows} == {"terramind_study, changed", "pixel_logistic"}


@pytest.mark.slow
def test_what_the_infrared_tells_is_found(run):
    means = {r["encoder"]: r["mean"] for r in stored(run, "statistics.json")["rows"] if r["metric"] == "iou_macro"}
    assert means["pixel logistic regression"] > 0.95
    assert means["terramind"] > 0.8


@pytest.mark.slow
def test_statistics_are_those_of_the_rows(run):
    rows, found = stored(run, "results.json"), stored(run, "statistics.json")
    names = {"terramind/nearest": ("terramind", "nearest"), "spectralearth/none": ("spectralearth", "none")}
    value = {
        name: [r["value"] for r in rows if (r["encoder"], r["adaptation"]) == line and r["metric"] == "iou_micro"]
        for name, line in names.items()
    }
    (summary,) = (
        r for r in found["rows"] if (r["encoder"], r["adaptation"], r["metric"]) == ("terramind", "nearest", "iou_micro")
    )
    assert summary["mean"] == pytest.approx(np.mean(value["terramind/nearest"]))
    (pair,) = (
        c
        for c in found["comparisons"]
        if (c["metric"], c["first"], c["second"]) == ("iou_micro", "terramind/nearest", "spectralearth/none")
    )
    first, second = value["terramind/nearest"], value["spectralearth/none"]
    assert pair["seeds"] == [0, 1]
    assert pair["difference"] == pytest.approx(np.mean(first) - np.mean(second))
    if np.ptp(np.subtract(first, second)):
        assert pair["p"] == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert found["comparisons_made"] == len(found["comparisons"]) == len(run[1]["columns"]) * 6  # four lines: six pairs


@pytest.mark.slow
def test_the_other_files_say_what_they_should(run):
    leakage, coverage = stored(run, "leakage.json"), stored(run, "coverage.json")
    assert [r["seed"] for r in leakage] == [0, 1]
    for row in leakage:
        # Eight tiles of their own block each, 2 km apart.
        assert (row["train_tiles"], row["test_tiles"], row["shared_blocks"], row["touching_tiles"]) == (4, 2, 0, 0)
    assert set(coverage) == {"nearest", "wavelength_attention"}
    assert coverage["nearest"]["kept"] == [b.name for b in SensorSpec.load("sentinel2a_l2a").used]
    assert stored(run, "config.json")["seeds"] == 2


@pytest.mark.slow
def test_the_page_stands_alone_and_says_what_the_numbers_are(run):
    text = (run[0] / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    for wanted in (
        "SIMULATED DATA", "Random initialisation", "no published weights were used", "Coverage of the target", "Leakage",
        "IoU of each class", "The baseline without an encoder, pixel logistic regression/none,", "sentinel2a_l2a",
        "python experiments/adapt.py", "epochs 12 (published 100)",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert text.count(RANDOM) >= len(ROWS)
    # Two test tiles: image, labels and four predictions each.
    assert text.count("data:image/png;base64,") == 2 * 6


def test_a_verdict_compares_the_best_of_each_kind():
    def rows(name, values):
        adaptation = "none" if name == "whole" else "srf"
        line = {"row": f"{name}/{adaptation}", "encoder": name, "adaptation": adaptation, "task": "t", "protocol": "p"}
        return [r for seed, v in enumerate(values) for r in tables.rows(line, seed, {"iou_macro": v}, RANDOM)]

    better = tables.statistics(rows("whole", (0.8, 0.82, 0.81)) + rows("cut", (0.6, 0.63, 0.62)), ("iou_macro",))
    assert "whole/none, beats the best on projected bands, cut/srf" in tables.verdict(
        better, "iou_macro", ["whole/none"], ["cut/srf"]
    )
    worse = tables.statistics(rows("cut", (0.8, 0.82, 0.81)) + rows("whole", (0.6, 0.63, 0.62)), ("iou_macro",))
    assert "is beaten by" in tables.verdict(worse, "iou_macro", ["whole/none"], ["cut/srf"])
    same = tables.statistics(rows("cut", (0.8, 0.7, 0.9)) + rows("whole", (0.7, 0.8, 0.9)), ("iou_macro",))
    assert "cannot be told from" in tables.verdict(same, "iou_macro", ["whole/none"], ["cut/srf"])
    named = tables.verdict(better, "iou_macro", ["whole/none"], ["cut/srf"], ("baseline", "best encoder"))
    assert named.startswith("The baseline, whole/none, beats the best encoder, cut/srf")
    assert "the run has only one of the two" in tables.verdict(better, "iou_macro", ["whole/none"], [])


def test_a_metric_that_is_not_defined_on_a_seed_is_left_out_of_its_mean():
    line = {"row": "e/a", "encoder": "e", "adaptation": "a", "task": "t", "protocol": "p"}
    found = tables.rows(line, 0, {"iou": 0.5}, RANDOM) + tables.rows(line, 1, {"iou": float("nan")}, RANDOM)
    assert [r["value"] for r in found] == [0.5, None]
    (row,) = tables.statistics(found, ("iou",))["rows"]
    assert (row["mean"], row["seeds"], row["standard_deviation"]) == (0.5, (0,), None)


def made(row, data=None, **changes):
    data = tiny_adapt.segmentation() if data is None else data
    cfg = tiny_adapt.run((row,), **changes)
    return prepared.prepare(cfg.lines()[0], cfg, data.task, source_of(data))


def outputs(one, params, data, px=tiny_adapt.PX):
    part = Part(data, source_of(data), [0])
    samples = part.batch([0], 1)
    full = adapted.init(jax.random.key(0), one.model, one.start, px, params)
    mean, std = one.statistics
    buffers = {"mean": np.asarray(mean, np.float32), "std": np.asarray(std, np.float32)}
    if one.start is not None:
        buffers["matrix"] = one.start.matrix
    x = adapted.project_bands({}, buffers.get("matrix"), samples.images, one.model)
    x = ((x - buffers["mean"].reshape(1, 1, 1, 1, -1)) / buffers["std"].reshape(1, 1, 1, 1, -1))[:, 0]
    features = jax.jit(adapted.features, static_argnames="model")
    return x, features(full["encoder"], x, samples.valid[:, 0], model=one.model), samples


@pytest.mark.slow
def test_converted_terramind_weights_see_their_own_statistics_and_bands(tmp_path):
    cfg = terramind.TerraMindConfig(12, 1, 1, "gelu", (modality("S2L2A"), modality("DEM")), patch=2, grid=4)
    params = terramind.init(jax.random.key(3), cfg)
    interop.save(tmp_path, cfg, params, Account("made up", ()))
    one = made("terramind/srf", weights=WeightFolders(terramind=str(tmp_path)))
    assert one.weights == str(tmp_path)
    data = tiny_adapt.segmentation()
    x, (maps, _), samples = outputs(one, one.params, data)
    # Published: mean 1390.458 and deviation 2106.761 of the digital numbers of the first band.
    first = np.einsum("bhwc,c->bhw", samples.images[:, 0], one.start.matrix[0]) * 1e4
    np.testing.assert_allclose(x[..., 0], (first - 1390.458) / 2106.761, rtol=1e-4, atol=1e-4)
    expected = jax.jit(terramind.apply, static_argnames="cfg")(params, {"S2L2A": x}, cfg).maps[0]
    np.testing.assert_allclose(maps[-1], expected, atol=1e-5)


def test_weights_of_another_encoder_are_refused(tmp_path):
    cfg = terramind.TerraMindConfig(12, 1, 1, "gelu", (modality("S2L2A"),), patch=2, grid=4)
    interop.save(tmp_path, cfg, terramind.init(jax.random.key(3), cfg), Account("made up", ()))
    with pytest.raises(ValueError, match="weights.dofa: .* holds a TerraMindConfig, expected weights of dofa"):
        made("dofa/none", weights=WeightFolders(dofa=str(tmp_path)))


@pytest.mark.slow
def test_our_own_checkpoint_is_adapted(monkeypatch):
    spec = SensorSpec.load("enmap_l2a")
    model = model_size("tiny", footprint_m=240.0, token_gsd_m=60.0)
    cfg = Config("pretrained", (SensorInput("ENMAP", spec, "grouped"),), model)
    params = {"encoder": encode.init_encoder(jax.random.key(5), cfg)}
    monkeypatch.setattr(api, "load", {"run": (cfg, params)}.get)
    one = made("ours/none", weights=WeightFolders(ours="run"))
    data = tiny_adapt.segmentation()
    x, (maps, pooled), samples = outputs(one, one.params, data)
    stored = data.images[:1]
    batch = Batch({"ENMAP": SensorData(stored, np.ones(1, bool), np.zeros(1, np.float32))})
    expected = jax.jit(api.apply, static_argnames="cfg")(params, batch, cfg)
    np.testing.assert_allclose(pooled, expected.pooled, atol=1e-5)
    np.testing.assert_allclose(maps[0], expected.stage1["ENMAP"], atol=1e-5)
    fewer = tiny_adapt.with_bands(data, 400, 700)
    with pytest.raises(ValueError, match="expected a sensor with the .* bands of enmap_l2a .* ENMAP"):
        made("ours/none", fewer, weights=WeightFolders(ours="run"))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (("terramnd/srf",), "no encoder is called 'terramnd'; the names are, closest first: terramind, "),
        (("terramind/nearist",), "no adaptation is called 'nearist'; the names are, closest first: nearest, "),
        (("terramind",), "expected encoder/adaptation"),
        (("dofa/none", "dofa/none"), "none twice"),
    ],
)
def test_unknown_rows_are_refused_with_the_closest_first(rows, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        tiny_adapt.run(rows)


@pytest.mark.parametrize("row", ["terramind/none", "spectralearth/srf", "ours/nearest"])
def test_an_encoder_says_which_adaptations_it_takes(row):
    with pytest.raises(ValueError, match=f"{row}: {row.split('/')[0]} takes "):
        made(row)


def test_a_sensor_without_overlap_is_refused():
    # Between the water vapour bands of Sentinel-2 (B09 at 945 nm) and B11 at 1610 nm it sees nothing.
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(), 1030, 1200)
    with pytest.raises(ValueError, match="has no band inside the response"):
        made("terramind/srf", data)


def test_uncovered_bands_are_left_out_of_terraminds_patches():
    one = made("terramind/srf", tiny_adapt.with_bands(tiny_adapt.segmentation(), 400, 1000))
    assert one.model.config.modalities[0].bands == modality("S2L2A").bands[:10]  # B11 and B12 are beyond 1000 nm
    assert one.model.bands == 10


def tiny_run(tmp_path, task_data, **changes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "simulate", lambda *_: task_data)
        return adapt(tiny_adapt.run(**changes), tmp_path)


def test_an_empty_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected at least 3 blocks.*an empty part is no split"):
        tiny_run(tmp_path, tiny_adapt.segmentation(tiles=2))
    config = dataclasses.replace(tiny_adapt.run().data, split="published")
    with pytest.raises(ValueError, match="part 'train' of the published split is empty"):
        tiny_run(tmp_path, tiny_adapt.segmentation(), data=config)


def test_a_part_whose_pixels_are_all_ignored_is_refused_before_training(tmp_path):
    data = tiny_adapt.segmentation()
    labels = np.full_like(data.labels, -1)
    labels[0] = data.labels[0]
    with pytest.raises(ValueError, match="all labels of the . samples of part '(train|val|test)' are ignored"):
        tiny_run(tmp_path, dataclasses.replace(data, labels=labels))


def test_labels_outside_the_class_list_are_refused(tmp_path):
    spec = tmp_path / "two.toml"
    spec.write_text(
        'title = "two classes"\nkind = "segmentation"\n[[channels]]\nsensor = "enmap_l2a"\n[classes]\ncodes = [1, 2]\n'
        '[layout]\nname = "geotiff_pairs"\nimages = "images"\nlabels = "labels"\n'
    )
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    write_pair(tmp_path / "images" / "a.tif", tmp_path / "labels" / "a.tif", [[1, 2], [2, 9]])
    data = dataclasses.replace(tiny_adapt.run().data, task=str(spec), root=str(tmp_path))
    with pytest.raises(ValueError, match="expected the classes 1, 2, and 1 labels hold 9"):
        adapt(tiny_adapt.run(data=data), tmp_path / "run")


def test_an_unknown_task_and_a_missing_root_are_refused(tmp_path):
    data = dataclasses.replace(tiny_adapt.run().data, task="enmap_postdam", root=str(tmp_path))
    with pytest.raises(ValueError, match="'enmap_postdam'; the names are, closest first: enmap_potsdam"):
        adapt(tiny_adapt.run(data=data), tmp_path)
    with pytest.raises(ValueError, match="data.root: task 'samson' needs the folder"):
        adapt(tiny_adapt.run(data=dataclasses.replace(data, task="samson", root="")), tmp_path)


@pytest.mark.slow
def test_the_command_ends_with_a_sentence(tmp_path):
    entry = Path(__file__).resolve().parents[2] / "experiments" / "adapt.py"
    asked = [sys.executable, str(entry), f"--workdir={tmp_path}", "--config.rows=terramind/nearist"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("adapt: rows: no adaptation is called 'nearist'")


def lines_of(folder):
    """Rows of results.json and lines of the table, by name."""
    rows, summary = (json.loads((folder / name).read_text()) for name in ("results.json", "statistics.json"))
    return rows, {(r["row"], r["protocol"]) for r in rows}, summary["rows"]


def quantities(tiles):
    """Two quantities of each tile, which its brightness tells."""
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(tiles), 400, 1000)
    level = np.random.default_rng(0).permutation(tiles) / tiles
    images = (data.images // 4 + 2000 * level[:, None, None, None]).astype(np.int16)
    spec = dataclasses.replace(tiny_adapt.SPEC, kind="image_regression", codes=(), class_names=(), targets=("P", "K"))
    labels = np.stack([100 * level, 3 - level], axis=1).astype(np.float32)
    return dataclasses.replace(data, task=spec, images=images, labels=labels)


@pytest.mark.slow
def test_rows_with_a_protocol_of_their_own_and_a_probe_stand_in_one_table(tmp_path, capsys):
    rows = ("terramind/srf", "terramind/srf/spectralearth_fm_frozen", "terramind/srf/linear_probe", "dofa/none/knn_probe")
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, epochs=2, patience=2, regression_width=8)
    report = tiny_run(tmp_path, quantities(26), rows=rows, protocol=protocol)
    found, lines, summary = lines_of(tmp_path)
    assert lines == {
        ("terramind/srf", "terramind_study, changed"),
        ("terramind/srf/spectralearth_fm_frozen", "spectralearth_fm_frozen"),
        ("terramind/srf/linear_probe", "linear_probe"),
        ("dofa/none/knn_probe", "knn_probe"),
        ("linear model of the mean spectrum/none", "linear_probe"),
    }
    for name, how in lines:
        for metric in ("r2_mean", "rmse_per_target/K", "hyperview_score"):
            assert [r["seed"] for r in found if (r["row"], r["protocol"], r["metric"]) == (name, how, metric)] == [0, 1]
    assert sorted(r["row"] for r in summary if r["metric"] == "r2_mean") == sorted(name for name, _ in lines)
    table = capsys.readouterr().out.split("Test part")[1]
    for _, how in lines - {("linear model of the mean spectrum/none", "linear_probe")}:
        assert sum(f"  {how}  " in line for line in table.splitlines()) == (2 if how == "linear_probe" else 1)
    # Without weights of its own the probe keeps no epoch; a trained line has one for each seed.
    assert report["best_epochs"]["dofa/none/knn_probe"] == [None, None]
    assert all(1 <= epoch <= 2 for epoch in report["best_epochs"]["terramind/srf"])
    # Each line is fitted by its own protocol: the same encoder on the same seeds scores otherwise.
    scores = {name: [r["value"] for r in found if (r["row"], r["metric"]) == (name, "r2_mean")] for name, _ in lines}
    assert len({tuple(v) for v in scores.values()}) == len(lines)
    page = (tmp_path / "report.html").read_text()
    assert "Protocol spectralearth_fm_frozen, as published." in page
    assert "linear_probe: nothing is trained" in page


@pytest.mark.slow
def test_convolutional_adapters_and_the_residual_network_run_end_to_end(tmp_path):
    rows = ("terramind/convolutional_adapter", "spectralearth_resnet/none")
    size = dataclasses.replace(tiny_adapt.SIZE, px=16)  # the network halves four times
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(), 400, 1000)
    tiny_run(tmp_path, data, rows=rows, size=size, seeds=1, baseline=False)
    found, lines, _ = lines_of(tmp_path)
    assert {name for name, _ in lines} == set(rows)
    for name in rows:
        values = {r["metric"]: r["value"] for r in found if r["row"] == name}
        assert values["iou_macro"] > 0.75
    coverage = json.loads((tmp_path / "coverage.json").read_text())
    assert set(coverage) == {"convolutional_adapter"}


def test_the_spectral_adapter_asks_for_enough_bands():
    # Convolutions of length 7, 7 and 5 with strides 5, 5 and 3, each padded by a band at both ends: 75 bands, 15, 3, 1.
    data = tiny_adapt.segmentation()
    last = [c.centre_nm for c in data.channels][73:76]
    few, enough = (tiny_adapt.with_bands(data, 400, nm) for nm in last[1:])
    for row in ("terramind/convolutional_adapter", "spectralearth_resnet/none"):
        with pytest.raises(ValueError, match=f"{row}: the spectral adapter needs at least 75 bands, and the task has 74"):
            made(row, few)
        assert made(row, enough).model.adaptation == row.split("/")[1]


def whole_images(kind, tiles=26):
    """Whether a tile is bright, and, of tiles with several labels, one that nothing tells."""
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(tiles), 400, 1000)
    rng = np.random.default_rng(0)
    bright = np.arange(tiles) % 2
    images = (data.images // 4 + 1500 * bright[:, None, None, None]).astype(np.int16)
    labels = bright.astype(np.int16)
    if kind == "multilabel":
        labels = np.stack([bright == 1, rng.random(tiles) > 0.4], axis=1)
    return dataclasses.replace(data, task=dataclasses.replace(tiny_adapt.SPEC, kind=kind), images=images, labels=labels)


@pytest.mark.parametrize(("kind", "metric"), [("classification", "accuracy_overall"), ("multilabel", "map")])
@pytest.mark.slow
def test_tasks_of_whole_images_run_end_to_end(tmp_path, kind, metric):
    rows = ("terramind/nearest", "dofa/none", "dofa/none/knn_probe", "dofa/none/linear_probe")
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, epochs=4, patience=4, learning_rate=1e-2)
    report = tiny_run(tmp_path, whole_images(kind), rows=rows, protocol=protocol, seeds=1)
    found, lines, _ = lines_of(tmp_path)
    assert {name for name, _ in lines} == {*rows, "linear model of the mean spectrum/none"}
    assert metric in report["columns"]
    values = {r["row"]: r["value"] for r in found if r["metric"] == metric}
    assert all(0 <= value <= 1 for value in values.values())
    # Brightness tells the first label for certain; the other one of two is noise.
    assert values["linear model of the mean spectrum/none"] > (0.95 if kind == "classification" else 0.6)
    assert values["dofa/none/knn_probe"] > (0.95 if kind == "classification" else 0.6)


@pytest.mark.slow
def test_the_published_protocol_of_pangaea_runs_with_its_pyramid_and_window(tmp_path):
    protocol = dataclasses.replace(protocols.PANGAEA, epochs=4, evaluate_every=2, head_width=8)
    size = dataclasses.replace(tiny_adapt.SIZE, depth=4, patch=1, px=4)
    rows = ("terramind/learned_linear",)
    report = tiny_run(tmp_path, tiny_adapt.segmentation(), rows=rows, protocol=protocol, size=size, seeds=1)
    found, lines, _ = lines_of(tmp_path)
    assert {how for name, how in lines if name in rows} == {"pangaea, changed"}
    assert all(0 <= r["value"] <= 1 for r in found)
    assert {epoch for name in rows for epoch in report["best_epochs"][name]} <= {2, 4}
    page = (tmp_path / "report.html").read_text()
    assert "epochs 4 (published 80)" in page
    assert "head_width 8 (published 512)" in page


def test_an_unknown_sensor_of_a_task_is_refused_before_anything_is_written(tmp_path):
    data = dataclasses.replace(tiny_adapt.run().data, sensor="enmap_l1b")
    with pytest.raises(
        ValueError, match="data.sensor: no sensor of task tiny is called 'enmap_l1b'; the names are, closest first: enmap_l2a"
    ):
        tiny_run(tmp_path / "run", tiny_adapt.segmentation(), data=data)
    assert not (tmp_path / "run").exists()


def dice_by_hand(outputs, labels):
    """One minus 2 sum(p t) / (sum(p) + sum(t)), mean over images and the classes that each has."""
    scores = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    terms = []
    for score, label in zip(scores, labels, strict=True):
        counted = label != -1
        for k in np.unique(label[counted]):
            truth = (label == k)[counted]
            terms.append(1 - 2 * score[..., k][counted][truth].sum() / (score[..., k][counted].sum() + truth.sum()))
    return float(np.mean(terms))


@pytest.mark.parametrize("kind", ["segmentation", "change"])
@pytest.mark.slow
def test_a_task_with_dice_as_its_loss_is_trained_on_it(kind):
    spec = dataclasses.replace(tiny_adapt.SPEC, kind=kind, loss="Dice")
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(), 400, 1000)
    labels = data.labels.copy()
    labels[5, 2:4] = -1
    labels[6] = 1
    data = dataclasses.replace(data, task=spec, labels=labels)
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, epochs=12, patience=12, augment=False)
    cfg = tiny_adapt.run(("terramind/srf",), protocol=protocol)
    source = source_of(data)
    one = prepared.prepare(cfg.lines()[0], cfg, spec, source)
    train, val = (Part(data, source, rows) for rows in ([0, 1, 2, 3], [5, 6, 7]))
    params = adapted.init(jax.random.key(0), one.model, one.start, tiny_adapt.PX)
    buffers = buffers_of(one.model, params, one.start.matrix, train)
    samples = val.batch(range(3), 4)
    outputs = adapted.outputs_of(one.model, params, buffers, samples, protocol)
    total, count = task_loss(spec, outputs, samples.labels, samples.counts, buffers)
    assert (float(total), float(count)) == tuple(map(float, supervised.soft_dice(outputs, samples.labels)))
    assert float(count) == 2 + 1 + 2  # classes of the three tiles; what fills up the batch has none
    expected = dice_by_hand(np.asarray(outputs)[:3], samples.labels[:3])
    assert float(total / count) == pytest.approx(expected, rel=1e-5)
    assert evaluate(one.model, params, buffers, val, protocol)[0] == pytest.approx(expected, rel=1e-5)
    plain = dataclasses.replace(spec, loss="")
    assert float(task_loss(plain, outputs, samples.labels, samples.counts, buffers)[1]) == 3 * 64 - 16
    found = fit(one.model, params, buffers, train, val, protocol, 0)
    first = dice_by_hand(
        np.asarray(adapted.outputs_of(one.model, params, buffers, train.batch(range(4), 4), protocol)), labels[:4]
    )
    assert found.history[0]["loss"] == pytest.approx(first, rel=1e-4)  # of the first step, before it moves
    assert found.history[-1]["loss"] < 0.7 * first
