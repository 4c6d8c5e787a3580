"""What a run leaves to look at: metrics.jsonl, TensorBoard events, curves.png, and the line that moves while it runs."""

import contextlib
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spectral_jax import places
from spectral_jax.addresses.address import last
from spectral_jax.sentences import needs

# Title of a panel, and the metrics in it by a pattern of their names: levels trained by themselves have names of their own.
PANELS = (
    ("loss", "loss"),
    ("parts of the loss", r"invariance|reconstruction|index|ahead|\w+_agreement|\w+_contrast|bands_error"),
    ("SIGReg statistic", "sigreg"),
    ("collapse alarms", r"\w+_std"),
    ("effective rank", r"\w+_rank"),
    ("norms", "grad_norm|update_norm|teacher_distance"),
    ("samples per second", "samples_per_second"),
    ("share of time waiting for input", "input_wait_fraction"),
)


class Recorder:
    """Writes one JSON object a logged step; drops what a resumed run will write again."""

    def __init__(self, workdir: Path, start: int):
        self._path = workdir / "metrics.jsonl"
        earlier = [row for row in read_metrics(workdir) if row["step"] <= start]
        places.write_whole(self._path, "".join(json.dumps(row) + "\n" for row in earlier))
        self._events = _event_writer(workdir / "tensorboard", start)

    def write(self, row: dict[str, float]) -> None:
        """Appends a row; `row["step"]` is the number of updates made."""
        with places.room_told(self._path), self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self._events is not None:
            self._events.write(row)

    def close(self) -> None:
        """Closes the event file; nothing the second time."""
        events, self._events = self._events, None
        if events is not None:
            events.close()


class _Events:
    """Scalars for TensorBoard, one event a row.

    Not by `SummaryWriter`: its thread ends where the disk is full, and the run then waits for ever to hand it the next row.
    """

    def __init__(self, folder: Path, start: int):
        with needs("tensorboardX", "tensorboard", "writing TensorBoard events"):
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event, SessionLog
            from tensorboardX.summary import Summary, scalar

        self._event, self._summary, self._scalar, self._folder = Event, Summary, scalar, folder
        with places.room_told(folder / "events"):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
        if start:  # what an earlier life wrote from here on is dropped
            self._put(step=start + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, row: dict[str, float]) -> None:
        numbers = {name: value for name, value in row.items() if name != "step" and isinstance(value, int | float)}
        values = [value for name, number in numbers.items() for value in self._scalar(name, number).value]
        self._put(step=int(row["step"]), summary=self._summary(value=values))

    def close(self) -> None:
        with places.room_told(self._folder / "events"):
            self._writer.close()

    def _put(self, **fields: Any) -> None:
        with places.room_told(self._folder / "events"):
            self._writer.write_event(self._event(wall_time=time.time(), **fields))
            self._writer.flush()


def read_metrics(workdir: Path) -> list[dict]:
    """The rows of a run's metrics.jsonl; a last line cut off by a kill is left out."""
    path = workdir / "metrics.jsonl"
    return rows_of(path.read_text()) if path.is_file() else []


def rows_of(text: str) -> list[dict]:
    """The rows of the text of a metrics.jsonl, as `read_metrics`."""
    rows = []
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def write_changes(workdir: Path, changes: list[dict]) -> None:
    """Writes changes.jsonl, one line a change that the run made on its way; none where there is none.

    Args:
      workdir: of the run.
      changes: `{"step", "fields": {name: [before, after]}}` in order, as the checkpoint that the run goes on from knows them.
    """
    path = workdir / "changes.jsonl"
    if changes:
        places.write_whole(path, "".join(json.dumps(change) + "\n" for change in changes))
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def closed(recorder: Recorder | None, workdir: Path, shown: str) -> Iterator[None]:
    """Closes the record and draws the curves, however the block ends; nothing where this process keeps none.

    Args:
      recorder: of the run, or None.
      workdir: of the run.
      shown: see `draw_curves`.
    """
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # what ended the run is to be told, and not that there is no room for its curves
            _close(recorder, workdir, shown)
        raise
    _close(recorder, workdir, shown)


def _close(recorder: Recorder | None, workdir: Path, shown: str) -> None:
    if recorder:
        recorder.close()
        draw_curves(workdir, shown)


def draw_curves(workdir: Path, shown: str = "") -> Path | None:
    """Draws metrics.jsonl as curves.png; None when no step is logged yet or, with a sentence, without matplotlib.

    Args:
      workdir: of the run.
      shown: its path or address as the user knows it, for the title.
    """
    try:
        with needs("matplotlib", "plot", "drawing curves.png"):
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
    except ImportError as error:
        print(error)
        return None
    rows = read_metrics(workdir)
    if not rows:
        return None
    figure = Figure(figsize=(14, 6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{last(shown or str(workdir))}: {len(rows)} logged steps", fontsize=10)
    known = list(dict.fromkeys(name for row in rows for name in row))
    for axes, (title, pattern) in zip(figure.subplots(2, 4).flat, PANELS, strict=True):
        names = [name for name in known if re.fullmatch(pattern, name)]
        for name in names:
            points = [(r["step"], r[name]) for r in rows if math.isfinite(r.get(name, math.nan))]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, linewidth=1.2)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize=7)
    path = workdir / "curves.png"
    with places.room_told(path):
        figure.savefig(path, dpi=110)
    return path


class Progress:
    """A bar on a terminal, a line at every logged step elsewhere: samples/s, time left, share of time waiting for input."""

    def __init__(self, start: int, steps: int):
        self._start, self._steps, self._began = start, steps, time.monotonic()
        self._live = sys.stderr.isatty()

    def show(self, row: dict[str, float], compiling: float) -> None:
        """Prints the state after step `row["step"]`; the seconds spent compiling say nothing of the time left."""
        done = int(row["step"])
        left = (time.monotonic() - self._began - compiling) / max(1, done - self._start) * (self._steps - done)
        filled = 24 * done // self._steps
        # Without the objective of the pooled embedding, the levels that are trained tell theirs.
        ranks = [name for name in row if name.endswith("_rank")]
        rank = row["embedding_rank" if "embedding_rank" in row else ranks[-1]] if ranks else math.nan
        text = (
            f"[{'#' * filled}{'.' * (24 - filled)}] step {done}/{self._steps}  loss {row['loss']:.4f}  "
            f"rank {rank:.1f}  {row['samples_per_second']:.0f} samples/s  "
            f"waiting for input {100 * row['input_wait_fraction']:.0f} %  {_clock(left)} left"
        )
        end = "\r" if self._live and done < self._steps else "\n"
        print(text, end=end, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _event_writer(folder: Path, start: int) -> _Events | None:
    try:
        return _Events(folder, start)
    except ImportError as error:
        print(error)
        return None
