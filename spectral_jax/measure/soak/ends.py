"""In what two finished runs differ: the parameters, to the bit, and the logged losses."""

from pathlib import Path

import jax
import numpy as np

from spectral_jax import api
from spectral_jax.addresses import address, bucket
from spectral_jax.train import record


def differences(undisturbed: Path, workdir: str) -> list[str]:
    """Sentences about what differs; none where the two are the same to the bit.

    Args:
      undisturbed: folder of the run that was left alone.
      workdir: path or address of the other.

    Raises:
      CheckpointError: one of them has no finished checkpoint.
    """
    out = []
    a, b = (jax.tree.leaves(api.load(run)[1]) for run in (undisturbed, workdir))
    unequal = sum(not np.array_equal(np.asarray(x), np.asarray(y)) for x, y in zip(a, b, strict=True))
    if unequal:
        out.append(f"{unequal} of {len(a)} parameters differ")
    rows = [{r["step"]: r["loss"] for r in found} for found in (record.read_metrics(undisturbed), _metrics(workdir))]
    shared = sorted(rows[0].keys() & rows[1].keys())
    if set(rows[0]) - set(rows[1]):
        out.append(f"{len(set(rows[0]) - set(rows[1]))} logged steps are missing")
    if wrong := [step for step in shared if rows[0][step] != rows[1][step]]:
        out.append(f"the loss differs at {len(wrong)} logged steps, first at {wrong[0]}")
    return out


def _metrics(workdir: str) -> list[dict]:
    if not address.is_address(workdir):
        return record.read_metrics(Path(workdir))
    return record.rows_of(bucket.read(address.joined(workdir, "metrics.jsonl")).decode())
