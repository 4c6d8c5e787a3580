"""A soak of a program that stands for a run: it saves numbered folders, and says where it continues."""

import re
import time

import pytest

from spectral_jax.measure.soak import lives, strikes

RUN = """
import pathlib, sys, time
saves = pathlib.Path(sys.argv[-1].removeprefix("--workdir=")) / "checkpoints"
saves.mkdir(parents=True, exist_ok=True)
newest = max((int(p.name) for p in saves.iterdir()), default=0)
print(f"Continuing from the checkpoint of step {newest}." if newest else "Starting at step 0: there is none.", flush=True)
for step in range(newest + 1, int(sys.argv[1]) + 1):
    until = time.process_time() + 0.002
    while time.process_time() < until:
        pass
    (saves / str(step)).mkdir()
    print("samples/s", flush=True)
once = saves.parent / "failed"
if "--fail" in sys.argv or ("--fail_once" in sys.argv and not once.exists()):
    once.touch()
    sys.exit("out of paint")
"""


def soak(tmp_path, steps, count, *more, longest=0.1, **changes):
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "alone" / "checkpoints" / str(steps)).mkdir(parents=True)
    said = []
    outcome = lives.soak(
        [str(tmp_path / "run.py"), str(steps), *more], tmp_path / "alone", str(tmp_path / "struck"), count, 0, said.append,
        longest, **changes,
    )  # fmt: skip
    return outcome, said


def saved(workdir):
    return sorted(int(p.name) for p in (workdir / "checkpoints").iterdir())


@pytest.fixture(autouse=True)
def compared(monkeypatch):
    """The pairs of runs that were compared, which a program without parameters leaves to the test."""
    pairs = []
    monkeypatch.setattr(lives, "differences", lambda a, b: pairs.append((a.name, b.rsplit("/", 1)[-1])) or [])
    return pairs


@pytest.mark.parametrize("allowed", ["out of paint", "out of water"])
def test_a_run_that_may_end_by_itself_is_started_again(tmp_path, allowed):
    """Every run fails once, when it is at its end."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "failed").touch()
    if allowed == "out of water":
        with pytest.raises(RuntimeError, match="a run ended by itself with 1:\n(.*\n)*out of paint"):
            soak(tmp_path, 20, 2, "--fail_once", longest=0.2, allowed=re.compile(allowed))
        return
    outcome, said = soak(tmp_path, 20, 2, "--fail_once", longest=0.2, allowed=re.compile(allowed))
    assert outcome.survived
    assert outcome.gave_up == sum(line.endswith("ended by itself: out of paint") for line in said) >= 1
    assert f"Ended by themselves with a sentence, and continued: {outcome.gave_up}." in outcome.text()


@pytest.mark.slow
def test_half_of_a_measured_life_is_steps(tmp_path):
    """A process takes some 0.02 s to start, and 0.2 s for the steps after the last save but one, of which there is none."""
    outcome, _ = soak(tmp_path, 100, 6, longest=None)
    assert saved(tmp_path / "alone") == [100]  # it is a copy that was continued
    assert sum(count for kind, count in outcome.strikes.items() if kind.endswith("while it ran")) >= 3


def test_a_run_that_continues_where_it_was_killed_survives(tmp_path, compared):
    outcome, said = soak(tmp_path, 200, 4)
    assert outcome.survived
    assert sum(outcome.strikes.values()) == len(said) == 4
    assert compared == [("alone", "1")]
    assert saved(tmp_path / "struck" / "1") == list(range(1, 201))
    text = outcome.text().splitlines()
    assert text[0].startswith("4 strikes: ")
    assert text[1:2] + text[3:] == [
        "Ends that should not be: none.",
        "Finished saves that were lost: none.",
        "1 ends against a run that was left alone: the same to the bit.",
    ]


def test_a_run_that_ends_before_its_next_kill_is_compared_and_followed_by_another(tmp_path, compared):
    outcome, said = soak(tmp_path, 3, 2)
    assert outcome.ends == len(compared) == 1 + sum("came to its end" in line for line in said) > 1
    assert [b for _, b in compared] == [str(i + 1) for i in range(outcome.ends)]
    assert sum(outcome.strikes.values()) == 2


@pytest.mark.parametrize(("kept", "said"), [(2, "the run continued from 2"), (0, "the run began anew")])
def test_a_finished_save_that_vanished_is_lost(tmp_path, kept, said):
    """The second of three lives ends with the saves of the first gone, or all but two."""
    lives_over, checkpoints = [], tmp_path / "struck" / "1" / "checkpoints"

    def strike(process, workdir, rng):
        while not checkpoints.is_dir() or len(list(checkpoints.iterdir())) < 4:
            time.sleep(0.01)
        lives_over.append(strikes.killed(process, workdir, rng))
        if len(lives_over) == 2:
            for step in saved(tmp_path / "struck" / "1")[kept:]:
                (checkpoints / str(step)).rmdir()
        return lives_over[-1]

    outcome, _ = soak(tmp_path, 200, 3, strike=strike, longest=0.01)
    assert not outcome.survived
    assert len(outcome.lost) == 1
    assert outcome.lost[0].startswith("run 1, after 2 strikes: step ")
    assert outcome.lost[0].endswith(f" was saved, and {said}")
    assert outcome.lost[0] in outcome.text()


def test_a_difference_and_an_end_that_should_not_be_are_no_survival(tmp_path, monkeypatch):
    monkeypatch.setattr(lives, "differences", lambda a, b: ["1 of 9 parameters differ"])

    def strike(process, workdir, rng):
        process.kill()
        text, _ = process.communicate()
        return strikes.Strike("flood", text, "flood, and it swam")

    outcome, _ = soak(tmp_path, 20, 1, strike=strike, longest=0.01)
    assert outcome.differences == ("run 1: 1 of 9 parameters differ",)
    assert outcome.wrong == ("strike 1: flood, and it swam",)
    assert not outcome.survived
    assert "From SIGTERM to the end: none was sent." in outcome.text()


def test_a_run_that_ends_by_itself_with_an_error_stops_the_soak(tmp_path):
    with pytest.raises(RuntimeError, match="a run that was left alone ended with 1:\n(.*\n)*out of paint"):
        soak(tmp_path, 2, 1, "--fail")
