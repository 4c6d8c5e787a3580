"""A contestant: a trainer in a process of its own, asked by lines.

Each line to its standard input is a word, and it answers one line of JSON. So steps of two frameworks can take turns in one
run, and neither's memory nor threads are the other's.
"""

import abc
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax.measure import machine

_SIDE = 2048  # of the square matrices whose product is taken for the core's peak


class Contestant(abc.ABC):
    """What a process has to do; a step is the next one of the run that `inputs` describes, from 0."""

    @abc.abstractmethod
    def embed(self, folder: Path) -> np.ndarray:
        """Pooled embeddings [V B D] of the next step's views, which are in `folder`, or are written there; takes no step."""

    @abc.abstractmethod
    def checked_step(self) -> dict[str, float]:
        """Takes a step; its `loss`, and `grad_norm`, the Euclidean norm of all gradients."""

    @abc.abstractmethod
    def step(self) -> float:
        """Takes a step, and is done with it on return; the loss."""

    @abc.abstractmethod
    def product(self, side: int) -> None:
        """Multiplies two float32 matrices [side side], and is done on return."""


def serve(contestant: Contestant, name: str, folder: Path) -> None:
    """Answers lines until standard input ends: `embed`, `check`, `step`, `product` or `reset_peak`.

    An error is an answer too. Whatever else is printed goes to standard error, where it is in nobody's way.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"ready": True, **machine.memory()}), file=out, flush=True)
    for line in sys.stdin:
        try:
            answer = _answered(line.strip(), contestant, name, folder)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=out, flush=True)


def _answered(word: str, contestant: Contestant, name: str, folder: Path) -> dict[str, Any]:
    if word == "embed":
        np.save(folder / f"pooled_{name}.npy", contestant.embed(folder))
        return {}
    if word == "check":
        return contestant.checked_step()
    if word == "step":
        wall, cpu = time.perf_counter(), time.process_time()
        loss = contestant.step()
        return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "loss": loss, **machine.memory()}
    if word == "product":
        return {"flops_per_s": max(_speed(contestant) for _ in range(6))}
    if word == "reset_peak":
        return {"reset": machine.reset_peak(), **machine.memory()}
    raise ValueError(f"contestant: expected embed, check, step, product or reset_peak, got {word!r}.")


def _speed(contestant: Contestant) -> float:
    began = time.process_time()
    contestant.product(_SIDE)
    return 2 * _SIDE**3 / (time.process_time() - began)


class Started:
    """A contestant's process, from the outside; a context that ends it."""

    def __init__(self, name: str, module: str, arguments: list[str], cores: list[int]):
        """Starts `python -m module arguments` on `cores`, with libraries told to use as many threads.

        Args:
          name: for sentences.
          module: dotted, of this package.
          arguments: of its command line.
          cores: that it may run on.
        """
        self.name = name
        threads = str(len(cores))
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads,
        }  # fmt: skip
        if len(cores) == 1:
            given = environment.get("XLA_FLAGS", "")
            environment["XLA_FLAGS"] = f"{given} --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)  # a child has the cores of its parent from its first instruction on
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            )  # fmt: skip
        finally:
            os.sched_setaffinity(0, before)
        try:
            self.ready = self._answer("start")
        except BaseException:
            self.__exit__()
            raise

    def ask(self, word: str) -> dict[str, Any]:
        """The answer to a line.

        Raises:
          ChildProcessError: the contestant answered an error, or is gone.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer is told
        return self._answer(word)

    def _answer(self, word: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the process ended with exit code {self._process.wait()}"}
        if "error" in answer:
            raise ChildProcessError(f"{self.name}: {word} failed: {answer['error']}; what it printed stands above.")
        return answer

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.communicate()
