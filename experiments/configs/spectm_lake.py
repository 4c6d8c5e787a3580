"""SpecTM on a simulated lake: hidden phycocyanin, chlorophyll and red-edge bands, indices, and the lake a week later.

    uv run python experiments/pretrain.py --config=experiments/configs/spectm_lake.py --workdir=/tmp/spectm

Two CPU cores, about half a minute. The same recipe pretrains the encoders of finetune_microcystin.py. The patch is the
match-ups' 3 x 3 pixels of PACE OCI in one of 4 x 4; bands below 400 nm are left out, and no band is standardised per spectrum.

Expect: curves.png shows the errors of hidden bands, indices and the later date fall. SIMULATED: on real match-ups such an
encoder does not reach a ridge regression on the spectra.
"""

import dataclasses

from spectral_jax.config import (
    Config,
    Data,
    Objective,
    Optim,
    SensorInput,
    SpecTM,
    Synthetic,
    Train,
    Views,
    model_size,
)  # fmt: skip
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import band_statistics


def config() -> Config:
    """Tiny encoder, 400 steps. The objective's weights and heads are our choices: the paper states none."""
    pace = dataclasses.replace(SensorSpec.load("pace_oci_rrs_v3"), bad_intervals_nm=((340.0, 399.0),))
    pace = band_statistics.standardised(pace, "pace_simulated")
    return Config(
        name="spectm_lake",
        sensors=(SensorInput("PACE", pace, "linear"),),
        model=model_size("tiny", footprint_m=4800.0, token_gsd_m=1200.0, spectral_depth=0),
        data=Data(store="lake", synthetic=Synthetic(locations=1500, dates=8), batch_size=64, lead_days=(6.0, 10.0)),
        views=Views(local_views=0),
        objective=Objective(jepa=0.0, spectm=1.0),
        spectm=SpecTM(indices=("ci", "ss665", "ndci", "pci", "pc_schalles", "pc_simis")),
        optim=Optim(lr=2e-3, weight_decay=0.01, warmup_steps=20),
        train=Train(steps=400, log_every=20, save_every=400),
    )
