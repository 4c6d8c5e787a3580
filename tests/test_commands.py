"""The command `spectral-jax`: every word is a script that is there, and an unknown one is told with the closest."""

import subprocess
import sys

import pytest

from spectral_jax import commands


def command(*words):
    code = f"import sys; sys.argv = {['spectral-jax', *words]!r}; from spectral_jax.commands import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("word", commands.SCRIPTS)
def test_every_word_has_a_script_with_a_line_about_it(word):
    script = commands.path_of(word)
    assert script.is_file()
    assert len(commands.summary(script)) > 20


def test_an_unknown_word_is_told_with_the_closest():
    with pytest.raises(
        ValueError, match="spectral-jax: no command is called 'pretain'; the names are, closest first: pretrain, "
    ):
        commands.path_of("pretain")


def test_without_a_word_all_are_listed():
    done = command("--help")
    assert done.returncode == 0
    assert all(f"  {word} " in done.stdout for word in commands.SCRIPTS)
    assert command().returncode == 1


@pytest.mark.slow
def test_a_word_runs_its_script_with_the_flags_of_the_script():
    done = command("embed", "--checkpoint=none", "--store=none", "--image=none")
    assert done.returncode == 1
    assert done.stderr.startswith("embed: expected either --store=STORE or --image=FILE with --sensor=KEY")
