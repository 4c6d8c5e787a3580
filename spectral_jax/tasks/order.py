"""Channels of files of one task, brought into the order of the first file: by wavelength, else by name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.sensors import CENTRE_TOLERANCE_NM
from spectral_jax.tasks.samples import Channel


def to_first(found: Sequence[Channel], first: Sequence[Channel], path: Path, first_path: Path) -> tuple[int, ...] | None:
    """Where each channel of the first file stands in another one.

    The match is one to one and the best over all channels together; widths tell bands of two detectors apart where they
    overlap.

    Args:
      found: channels of the file, in its order.
      first: channels of the first file.
      path: of the file, for the sentence.
      first_path: of the first.

    Returns:
      Positions in `found`, one for each of `first`; None where the order is the same.

    Raises:
      ValueError: another number of channels, or one of the first that the file does not have.
    """
    if len(found) != len(first):
        raise ValueError(
            f"{path}: expected the {len(first)} channels of {first_path}, got {len(found)}; a task has one set of channels."
        )
    if tuple(found) == tuple(first):
        return None
    # What differs between channels at one wavelength: sensor, date, and the name where nothing has a wavelength.
    ours, theirs = ([_label(channel) for channel in of] for of in (first, found))
    ours_nm, theirs_nm = (np.nan_to_num(np.array([channel.centre_nm for channel in of])) for of in (first, found))
    off = np.abs(ours_nm[:, None] - theirs_nm[None])
    same = np.array([[a == b for b in theirs] for a in ours])
    if not (np.diagonal(same).all() and (np.diagonal(off) <= 0.5 * CENTRE_TOLERANCE_NM).all() and _apart(ours_nm)):
        return _matched(found, first, off, same, path, first_path)
    return None


def _matched(found, first, off, same, path, first_path) -> tuple[int, ...] | None:
    from scipy.optimize import linear_sum_assignment

    ours, theirs = (np.array([channel.fwhm_nm for channel in of]) for of in (first, found))
    cost = off + np.nan_to_num(np.abs(ours[:, None] - theirs[None])) + np.where(same & (off <= CENTRE_TOLERANCE_NM), 0.0, 1e6)
    _, places = linear_sum_assignment(cost)
    wrong = [i for i, place in enumerate(places) if not same[i, place] or off[i, place] > CENTRE_TOLERANCE_NM]
    if wrong:
        channel = first[wrong[0]]
        what = f"a band near {channel.centre_nm:g} nm" if np.isfinite(channel.centre_nm) else f"a band called {channel.name}"
        raise ValueError(
            f"{path} and {first_path}: expected the same bands in both, and the first has no {what.removeprefix('a ')} "
            f"({channel.sensor}) of the second; bands match within {CENTRE_TOLERANCE_NM:g} nm. Make tasks of both apart."
        )
    return None if list(places) == list(range(len(first))) else tuple(int(place) for place in places)


def _label(channel: Channel) -> tuple:
    return channel.sensor, channel.date, "" if np.isfinite(channel.centre_nm) else channel.name


def _apart(centre_nm: np.ndarray) -> bool:
    """Whether no two bands are so close that only their widths tell them apart."""
    known = np.sort(centre_nm[centre_nm > 0])
    return bool((np.diff(known) > CENTRE_TOLERANCE_NM).all())
