"""Makes a model of the package of a finished run: its encoder, a readout of 64 numbers of 8 bits, and what is said of them.

python tools/release_model.py --run=/tmp/spectral_mini --name=spectral-mini --command="python experiments/pretrain.py ..."

The readout is made from the run's own store (unlabelled) and one sensor. data_specs/models/NAME gets the files.
"""

from pathlib import Path

from absl import flags

from spectral_jax import launch

RUN = launch.DEFINE_place("run", None, "Work folder of experiments/pretrain.py.", required=True)
NAME = flags.DEFINE_string("name", None, "Name of the model.", required=True)
COMMAND = flags.DEFINE_string("command", None, "The command that trained it.", required=True)
SENSOR = flags.DEFINE_string("sensor", "ENMAP", "Key of the sensor whose vectors make the readout.")
LEVEL = flags.DEFINE_string("level", "pixels", "Level of the readout.")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> None:
    """One folder."""
    if overrides:
        raise ValueError(f"{overrides[0]}: the config is that of the run; this command takes no overrides.")
    from spectral_jax.measure import release

    print(release.release(Path(RUN.value), NAME.value, COMMAND.value, SENSOR.value, LEVEL.value), flush=True)


main = launch.script("release_model", job, "...")

if __name__ == "__main__":
    launch.run(main)
