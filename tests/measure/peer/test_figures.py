import pytest

from spectral_jax.measure.peer import figures


def step(cpu_s, wall_s=1.0, peak_mib=100.0, loss=1.0):
    return {"cpu_s": cpu_s, "wall_s": wall_s, "peak_mib": peak_mib, "loss": loss}


def test_a_spread_is_the_median_with_the_least_and_the_most():
    assert figures.spread([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "min": 1.0, "max": 10.0}


def test_a_contestant_by_hand():
    steps = [step(2.0, 4.0, 150.0, 0.5), step(1.0, 2.0, 300.0, 0.25), step(4.0, 8.0, 200.0, 0.125)]
    assert figures.of_contestant(steps, resident_mib=50.0, samples=8, flops=40e9, peak=100e9) == {
        "cpu_s": {"median": 2.0, "min": 1.0, "max": 4.0},
        "wall_s": {"median": 4.0, "min": 2.0, "max": 8.0},
        "samples_per_s": 2.0,
        "before_mib": 50.0,
        "peak_mib": 300.0,
        "above_mib": 250.0,
        "flops_per_s": 20e9,
        "share_of_peak": 0.2,
        "losses": [0.5, 0.25, 0.125],
    }


def test_ratios_are_of_turns_and_to_the_faster_of_the_others():
    cpu = {"ours": [3.0, 2.0, 4.0], "eager": [2.0, 2.0, 2.0], "compile": [1.0, 4.0, 1.0]}
    steps = {name: [step(x) for x in values] for name, values in cpu.items()}
    assert figures.ratios(steps) == {"to": "compile", "median": 3.0, "min": 0.5, "max": 4.0}


@pytest.fixture
def result():
    row = figures.of_contestant([step(2.0), step(1.0), step(4.0)], 50.0, 8, 40e9, 100e9)
    return {
        "size": "tiny", "batch": 8, "threads": 1, "repeats": 3, "flops_per_sample": 5e9, "peak": 100e9,
        "contestants": {"ours": row, "eager": row, "compile": row}, "timed_losses": 2e-6, "peak_of_steps_alone": True,
        "ratio": {"to": "eager", "median": 1.5, "min": 1.25, "max": 1.75},
        "equal": {"embeddings": 1e-7, "losses": 2e-7, "grad_norms": 3e-7, "steps": 4},
    }  # fmt: skip


def test_the_table_tells_times_ratio_and_differences(result):
    lines = figures.text(result).splitlines()
    assert lines[0] == "tiny, batch 8, 1 thread: 5.0 GFLOP a sample; a core multiplies matrices at 100.0 GFLOP/s"
    assert lines[3].split() == ["torch,", "eager", "2.000", "(1.000-4.000)", "1.000", "8.00", "20.0", "20%", "50", "100", "50"]
    assert lines[5] == "  CPU seconds of ours / torch, eager, the faster: 1.50 (1.25-1.75 in 3 turns); below 1 ours is faster"
    assert "embeddings 1.0e-07" in lines[6]
    assert "timed steps 2.0e-06" in lines[6]


def test_the_table_says_where_a_peak_may_be_that_of_compiling(result):
    assert "may be that of compiling" in figures.text(result | {"peak_of_steps_alone": False})
    assert "may be that of compiling" not in figures.text(result)
