"""The same patches by zarr-python and PyTorch's DataLoader: `python -m spectral_jax.measure.peer.torch_loader JOB.json`.

What a person writes who has a Zarr store and PyTorch: a Dataset whose sample is a location, an array a sensor, read with a
plain index, and a DataLoader with worker processes that puts them into batches of tensors. The job has "store", "batches" (of
each the locations, and of a location sensor -> name of the array, row, date and used bands) and "workers".
"""

import itertools
import json
import sys
import time
from pathlib import Path

import torch
import zarr
from torch.utils.data import DataLoader, Dataset

Patch = tuple[str, int, int, list[int]]


class Locations(Dataset):
    """The patches of a location by sensor; arrays are opened once a process."""

    def __init__(self, store: str, locations: list[dict[str, Patch]]):
        """Opens nothing yet.

        Args:
          store: folder of the store.
          locations: of each its patches.
        """
        self.store, self.locations = store, locations
        self.arrays: dict[str, zarr.Array] = {}

    def __len__(self) -> int:
        return len(self.locations)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        """Sensor -> [H W C], the used bands as they are stored."""
        out = {}
        for key, (name, row, date, bands) in self.locations[i].items():
            if name not in self.arrays:
                self.arrays[name] = zarr.open_array(f"{self.store}/{name}", mode="r")
            patch = torch.from_numpy(self.arrays[name][row, date])  # [C H W]
            out[key] = patch[bands].permute(1, 2, 0).contiguous()
        return out


def joined(samples: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Sensor -> [N H W C], of the N locations that have it."""
    keys = dict.fromkeys(key for sample in samples for key in sample)
    return {key: torch.stack([sample[key] for sample in samples if key in sample]) for key in keys}


def main(argv: list[str]) -> int:
    """Reads all once unmeasured, so that workers run and files are in memory, and once measured; prints seconds and a sum."""
    job = json.loads(Path(argv[1]).read_text())
    locations = [location for batch in job["batches"] for location in batch]
    numbers = itertools.count()
    order = [[next(numbers) for _ in batch] for batch in job["batches"]]
    reader = DataLoader(
        Locations(job["store"], locations), batch_sampler=order, num_workers=job["workers"], collate_fn=joined,
        persistent_workers=job["workers"] > 0,
    )  # fmt: skip
    total = sum(int(pixels.to(torch.int64).sum()) for batch in reader for pixels in batch.values())
    began = time.perf_counter()
    for _ in reader:
        pass
    print(json.dumps({"seconds": time.perf_counter() - began, "sum": total}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
