"""What a user can get wrong, given to the pretraining command itself: one sentence, exit code 1, nothing written over."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from made import tiny_run

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
from made import tiny_run
from spectral_jax.config import Data
def config():
    return tiny_run.config(data=Data(store={store!r}, batch_size=8))
"""


@pytest.fixture(scope="module")
def command(load_command):
    return load_command(ROOT / "experiments" / "pretrain.py")["main"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return tiny_run.write_store(tmp_path_factory.mktemp("sound") / "store.zarr", tiny_run.config())


@pytest.fixture
def store(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "store.zarr"))


@pytest.fixture
def refused(command, store, tmp_path, monkeypatch, capsys):
    """Runs the command on the store; returns the sentence."""

    def run(*overrides, config=CONFIG):
        (tmp_path / "config.py").write_text(config.format(store=str(store)))
        monkeypatch.setattr(flags.FLAGS["config"], "value", str(tmp_path / "config.py"))
        monkeypatch.setattr(flags.FLAGS["workdir"], "value", str(tmp_path / "run"))
        assert command(["pretrain", *overrides]) == 1
        text = capsys.readouterr().err
        assert text.startswith("pretrain: ")
        assert "Traceback" not in text
        assert not list((tmp_path / "run").glob("checkpoints/[0-9]*"))
        return text

    return run


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("--config.optim.learning_rate=1", "no field of Optim is called 'learning_rate'; it is called 'lr'"),
        ("--config.train.steps=many", "train.steps: expected a whole number"),
        ("--config.data.batch_size=12", "does not divide 12; the nearest batch size that divides is 16"),
        ("--config.model.footprint_m=480", "patches have a side of 240 m, and model.footprint_m asks for 480 m"),
        ("--config.data.groups=('al',)", "group"),
        ("config.optim.lr=1", "argument 'config.optim.lr=1' is not known; overrides have the form --config.optim.lr=3e-4"),
    ],
)
def test_a_wrong_option_is_refused(refused, override, sentence):
    assert sentence in refused(override)


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("zarr.json", "group all was written by spectral_jax, and the zarr.json beside it,.* is missing"),
        ("all/MSI/zarr.json", "MSI"),
        ("all/HSI_mask/zarr.json", "HSI_mask"),
        ("all", "all"),
    ],
)
def test_a_truncated_store_is_refused(refused, store, lost, sentence):
    path = store / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    text = refused()
    assert re.search(sentence, text)
    assert "copy or build it again" in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("bands=tuple(Band(f'{i}', 460.0 + 50.0 * i, 10.0) for i in range(6))", "wavelengths: 6 of 6 bands"),
        ("bands=tiny_run.HSI.bands[:5]", "5 used bands against 6"),
        ("bands=tiny_run.HSI.bands[::-1]", "the order of bands"),
        ("unit='%'", "unit '%' against '1'"),
        ("scale=1e-3", "scale 0.001 against 0.0001"),
    ],
)
def test_a_store_whose_sensor_is_not_the_configs_is_refused(refused, change, sentence):
    config = f"""
import dataclasses
from made import tiny_run
from spectral_jax.config import Data
from spectral_jax.sensors import Band
def config():
    cfg = tiny_run.config(data=Data(store={{store!r}}, batch_size=8))
    hsi = dataclasses.replace(tiny_run.HSI, {change})
    return dataclasses.replace(cfg, sensors=(dataclasses.replace(cfg.sensors[0], spec=hsi), *cfg.sensors[1:]))
"""
    text = refused(config=config.replace("{i}", "{{i}}"))
    assert sentence in text
    assert "HSI" in text


def test_a_store_without_one_valid_date_is_refused(refused, store):
    for array in (store / "all").glob("*_mask"):
        for chunk in [p for p in array.rglob("*") if p.is_file() and p.name != "zarr.json"]:
            chunk.unlink()  # what is not stored reads as the fill value: not valid
    assert "valid" in refused()


@pytest.mark.slow
def test_a_corrupt_shard_is_refused_with_its_location(refused, store):
    shards = [p for p in (store / "all" / "HSI" / "c").rglob("*") if p.is_file()]
    for shard in shards:
        data = np.fromfile(shard, np.uint8)
        data[: len(data) // 2] ^= 255
        data.tofile(shard)
    text = refused()
    assert "group all, array HSI, location" in text
    assert "missing or corrupt" in text
