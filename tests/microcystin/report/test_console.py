"""What a run says on the terminal is what report.json holds."""

from pathlib import Path

from made import tiny_report

from spectral_jax.microcystin.report import console

ABOUT = {
    "source": "m.npz", "rows": {"now": 48, "ahead": 30}, "non_detects": {"now": 14, "ahead": 9}, "left_out": {},
    "weeks": 12, "stations": 4, "scenes": 11,
}  # fmt: skip


def test_the_card_counts_rows_and_says_what_is_simulated():
    assert console.data_card(ABOUT, simulated=False) == (
        "Match-ups of m.npz: 48 with a sample of now (14 non-detects), 30 with one 8 days ahead (9); 12 ISO weeks, 4 stations, "
        "11 scenes. Rows left out: none."
    )
    reasons = {"no valid pixel": 3, "the same spectrum twice": 1}
    said = console.data_card(ABOUT | {"left_out": reasons}, simulated=True)
    assert said.startswith("SIMULATED match-ups, no observations: 48 with")
    assert said.endswith("Rows left out: 3 no valid pixel, 1 the same spectrum twice.")


def test_a_result_is_one_line_with_a_dash_where_there_is_no_number():
    row = {
        "target": "now",
        "split": "week",
        "model": "ridge",
        "r2_log10": 0.7041,
        "auc_1_6": None,
        "coverage_90": 0.9,
        "n": 212,
    }
    assert console.result(row).split() == ["now", "week", "ridge", "R2", "0.704", "AUC", "-", "coverage", "0.900", "n", "212"]


def test_the_end_names_the_best_baseline_of_each_target_with_the_difference_and_what_to_do_next():
    said = console.closing(tiny_report.report(), Path("run"), Path("run/report.html")).splitlines()
    assert said[1] == "SIMULATED data. Leave one ISO week out, log10 of microcystin:"
    assert said[2] == (
        "  now: R2 0.720, 90 % intervals hold 87.4%; best baseline ridge 0.560, difference +0.160 (+0.090 to +0.250)"
    )
    assert said[3].startswith(
        "  ahead: R2 0.400, 90 % intervals hold 89.0%; best baseline ridge 0.410, difference -0.010 (-0.080"
    )
    assert "--predict=FILE.npz --checkpoint=run --out=predictions.csv" in said[-1]


def test_a_run_without_the_week_split_ends_without_a_verdict():
    report = tiny_report.report()
    report["results"] = [row for row in report["results"] if row["split"] != "week"]
    assert "best baseline" not in console.closing(report, Path("run"), Path("run/report.html"))
