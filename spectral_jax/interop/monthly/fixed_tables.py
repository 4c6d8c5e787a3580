"""Tables that do not train: what a checkpoint holds is loaded, and must be what the formula of this version gives."""

from collections.abc import Mapping

import numpy as np

# Published tables are computed in float32: the released ones differ from the formulas by up to 1.4e-6.
TOLERANCE = 1e-4


def expect(file: str, tensors: Mapping[str, np.ndarray], formulas: Mapping[str, np.ndarray]) -> None:
    """Refuses a checkpoint whose fixed tables are those of another version.

    Args:
      file: for the sentence.
      tensors: the checkpoint; tables that it lacks, or of another shape, are told where all keys are.
      formulas: key -> what the formula gives.

    Raises:
      ValueError: a table differs from its formula by more than `TOLERANCE`.
    """
    for key, table in formulas.items():
        held = tensors.get(key)
        if held is None or held.shape != table.shape:
            continue
        # NaN is told with its key where all keys are.
        away = np.nan_to_num(np.abs(held.astype(np.float64) - table)).max(initial=0.0)
        if away > TOLERANCE:
            raise ValueError(
                f"{file}: {key} is a table that does not train, and it differs by {away:.2g} from the formula of the released "
                "version, expected the same to 0.0001; it is of another version of the code."
            )
