"""Who counts as silent, and what is said for a process that cannot speak. Whole runs are in `tests/multiprocess`."""

import signal
import subprocess
import sys

from spectral_jax.train import pulse

LIMIT = 5


def later(heard, seconds, found=None):
    """Seconds pass, each with what process 0 has of the others by then; what is said at the end of the last."""
    said = ""
    for second in range(seconds):
        if found is not None:
            heard.note(found(second))
        said = heard.second()
    return said


def test_who_gives_another_number_each_time_is_not_silent():
    heard = pulse.Heard(0, 3, LIMIT)
    assert later(heard, 50, lambda s: {1: str(s), 2: str(s)}) == ""


def test_whose_number_stays_the_same_is_named_after_the_limit():
    heard = pulse.Heard(0, 4, LIMIT)
    assert later(heard, 10, lambda s: {1: str(s), 2: str(s), 3: str(s)}) == ""
    assert later(heard, LIMIT - 1, lambda s: {1: f"more {s}", 2: "9", 3: "9"}) == ""
    assert later(heard, 1, lambda s: {1: "yet more", 2: "9", 3: "9"}) == "processes 2, 3 gave no sign of life for 5 s"


def test_who_never_gave_a_sign_is_named():
    assert later(pulse.Heard(1, 2, LIMIT), LIMIT + 1, lambda s: {1: str(s)}) == "process 0 gave no sign of life for 5 s"


def test_who_ended_in_order_is_not_waited_for():
    heard = pulse.Heard(0, 2, LIMIT)
    assert later(heard, 50, lambda s: {1: str(min(s, 3)) if s < 4 else pulse.ENDED}) == ""


def test_where_process_0_does_not_answer_it_is_named_and_nobody_else():
    heard = pulse.Heard(2, 3, LIMIT)
    assert later(heard, 3, lambda s: {0: str(s), 1: str(s)}) == ""
    assert later(heard, LIMIT - 2) == ""
    assert later(heard, 1) == "process 0, which all others meet at, could not be reached for 5 s"


def test_process_0_does_not_accuse_itself():
    assert later(pulse.Heard(0, 2, LIMIT), 50) == ""


def test_last_words_are_said_for_a_process_that_is_killed_and_not_where_they_were_dismissed():
    """The output ends when the shells do, so what they say is there."""
    script = (
        "import os, signal\nfrom spectral_jax.train.pulse import LastWords\n"
        "first, second = LastWords('one'), LastWords(\"it's over\")\n"
        "first.dismiss()\nfirst.dismiss()\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    assert done.stderr == "it's over\n"
