"""What stands in for omnicloudmask, PyTorch with weights from a network: its published function, and a rule for its model.

The signature is that of `predict_from_array` of omnicloudmask 1.8; nothing of its code is here. Pixels brighter than 0.4 in the
red band are thick cloud, than 0.3 thin cloud, and darker than 0.02 in the near infrared shadow.
"""

import sys
from types import SimpleNamespace

import numpy as np

CLEAR, THICK, THIN, SHADOW = range(4)


class StandIn:
    """The library; `calls` has the shape and the named arguments of each call."""

    def __init__(self):
        self.calls = []

    def predict_from_array(
        self, input_array, patch_size=1000, patch_overlap=300, batch_size=1, inference_device=None, mosaic_device=None,
        inference_dtype="float32", export_confidence=False, softmax_output=True, no_data_value=0, apply_no_data_mask=True,
        custom_models=None, pred_classes=4, destination_model_dir=None, model_download_source="hugging_face",
        compile_models=False, compile_mode="default", model_version=None,
    ):  # fmt: skip
        assert input_array.dtype == np.float32
        assert np.isfinite(input_array).all()
        assert patch_overlap < patch_size <= min(input_array.shape[1:])
        self.calls.append((input_array.shape, patch_size, patch_overlap, no_data_value))
        red, _, near = input_array
        classes = np.where(red > 0.4, THICK, np.where(red > 0.3, THIN, np.where(near < 0.02, SHADOW, CLEAR)))
        missing = (input_array == no_data_value).all(axis=0)
        if not export_confidence:
            return np.where(missing, CLEAR, classes).astype(np.uint8)[None]
        # Half of the confidence is the class's own; 0.2 each of the first two others, 0.1 of the last.
        out = np.zeros((4, *classes.shape), np.float32)
        for row, column in np.ndindex(classes.shape):
            others = [k for k in range(4) if k != classes[row, column]]
            out[classes[row, column], row, column] = 0.5
            out[others, row, column] = (0.2, 0.2, 0.1)
        return out


def installed(patch) -> StandIn:
    """The library, for the time of a test."""
    made = StandIn()
    patch.setitem(sys.modules, "omnicloudmask", SimpleNamespace(predict_from_array=made.predict_from_array))
    return made
