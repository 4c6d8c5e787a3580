"""The page about a microcystin run: opens offline, says what its numbers say, and leaves out what is not there."""

import base64
import json
import re
import sys

import numpy as np
import pytest
from made import tiny_report

from spectral_jax.microcystin.report import figures, spectra, words, write
from spectral_jax.microcystin.report.predictions import read as read_predictions
from spectral_jax.microcystin.report.predictions import reliability, roc
from spectral_jax.pages import style

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a complete run, figures and all."""
    path = write.write(tiny_report.write(tmp_path_factory.mktemp("report")))
    return path.read_text(encoding="utf-8")


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without drawing, which is what takes time; every figure is still called for by its data."""
    monkeypatch.setattr(style, "as_svg", lambda draw: "data:,")


def plain(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("</style>")[-1]))


def written(folder, numbers, predictions=None):
    return write.write(tiny_report.write(folder, numbers, predictions)).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_needs_nothing_from_outside(page):
    assert not re.search("https?://", page)
    assert not re.search(r"<(script|link|iframe|object|embed)\b|@import|url\(", page)
    sources = re.findall(r'\bsrc="([^"]*)"', page)
    assert len(sources) == page.count("<img ") == 26
    for source in sources:
        kind, text = source.split(",", 1)
        assert kind == "data:image/svg+xml;base64"
        svg = base64.b64decode(text).decode()
        assert "</svg>" in svg
        assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', svg))
    assert all(link.startswith("#part-") for link in re.findall(r'\bhref="([^"]*)"', page))
    assert len(page) < 6e6


@pytest.mark.slow
def test_every_section_is_there_in_order_with_nothing_left_out(page):
    assert re.findall(r"<h2>([^<]*)</h2>", page) == [
        "The data", "Results", "Paired comparisons", "Predicted against observed", "Time series by station",
        "Warnings: ROC and reliability", "Label efficiency", "Targeted against random masking",
        "Reconstruction of masked regions", "Which wavelengths drive the prediction", "Attempts", "How to reproduce",
    ]  # fmt: skip
    assert "Left out" not in page
    assert "class=absent" not in page
    for text in (
        "3 no valid pixel; 1 the same spectrum twice", "14 non-detects (29 %)", "ridge on derivatives",
        "--workdir=DIR", "A random split is optimistic", "A high r by itself proves nothing here",
        "In 3 of 3 regions the masked model has a smaller error than ridge.",
        "phycocyanin absorption (615-640 nm) 2.1 times", "only 2 of 3 known features weigh more",
        "targeted minus random: +0.010 (95 % interval −0.060 to +0.100). The interval includes 0: no difference is shown",
    ):  # fmt: skip
        assert text in plain(page)


@pytest.mark.slow
def test_the_headline_says_what_the_numbers_say(page):
    said = re.search(r'<div class="headline">(.*?)</div>', page, re.DOTALL)[1]
    now, ahead = re.findall("<p>([^<]*)</p>", said)[2:]
    for text in (
        "tested on 48 samples of 12 weeks", "R² = 0.720", "within a factor of 1.47", "held 87.4 % of the samples",
        "The best baseline, ridge, reaches R² = 0.560",
        "+0.160 (95 % interval +0.090 to +0.250); the interval excludes 0: the model beats the best baseline",
    ):  # fmt: skip
        assert text in now
    assert "ridge, reaches R² = 0.410" in ahead
    assert "−0.010 (95 % interval −0.080 to +0.080); the interval includes 0: the model does NOT demonstrably beat" in ahead


def test_a_worse_model_is_called_worse():
    numbers = tiny_report.report()
    for row in numbers["results"]:
        if row["model"] == "spectm":
            row["r2_log10"] = -0.1
    for row in numbers["comparisons"]:
        row.update(delta_r2_log10=-0.6, low=-0.8, high=-0.4)
    now = next(text for text in words.headline(numbers) if "this week" in text)
    assert "no better than always predicting the mean" in now
    assert "the model is WORSE than the best baseline" in now


def test_without_comparison_or_honest_split_the_headline_says_so():
    numbers = tiny_report.report() | {"comparisons": None}
    assert "not compared sample by sample" in " ".join(words.headline(numbers))
    numbers["results"] = [row for row in numbers["results"] if row["split"] == "random"]
    assert "there is no honest number to give" in " ".join(words.headline(numbers))


@pytest.mark.slow
def test_simulated_data_is_named_on_the_page_and_on_every_figure(page, tmp_path, undrawn):
    assert '<div class="banner">SIMULATED DATA' in page
    assert style.new_figure(3, 3, simulated=True).get_suptitle() == "SIMULATED DATA"
    assert "SIMULATED" not in written(tmp_path, tiny_report.report(simulated=False))


def test_results_are_sorted_with_the_best_in_bold_and_deviations_where_there_is_randomness(tmp_path, undrawn):
    page = written(tmp_path, tiny_report.report())
    table = next(t for t in re.findall("<table>.*?</table>", page, re.DOTALL) if "One ISO week left out" in t)
    rows = [re.findall("<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr.*?</tr>", table, re.DOTALL)[1:]]
    assert [row[0] for row in rows][:2] == ["spectm", "spectm without encoder"]
    values = [float(re.sub("<.?b>", "", row[2]).split(" ")[0]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert rows[0][2] == "<b>0.720 ± 0.010</b>"
    assert [row[2] for row in rows if row[0] == "ridge"] == ["0.560"]
    assert sum("<b>" in row[2] for row in rows) == 1
    header = re.findall("<th[^>]*>(.*?)</th>", table)
    width = header.index("interval width (log10)")
    assert not any("<b>" in row[width] for row in rows)
    # 12 - 30 R2 is nearest to 0 for the model with the smallest R2, and coverage 0.91 - 0.05 R2 is nearest to 90 % there.
    assert [row[0] for row in rows if "<b>" in row[header.index("SSPB, %")]] == ["persistence"]


EMPTY = {
    "results": "Left out: report.json holds no results.", "comparisons": "Left out: report.json holds no paired comparisons.",
    "label_efficiency": "no label-efficiency curve", "masking": "no comparison of ways of masking",
    "reconstruction": "no reconstruction of masked regions", "attribution": "Left out: report.json holds no attribution.",
    "attempts": "Left out: report.json lists no attempts.", "data": "report.json says nothing about the data",
    "versions": "How to reproduce", "command": "report.json does not name the commands", "model": "How to reproduce",
    "machine": "How to reproduce", "seconds": "How to reproduce", "title": "Microcystin", "simulated": "The data",
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_a_part_that_is_null_or_missing_is_left_out_with_a_sentence(name, tmp_path, undrawn):
    numbers = tiny_report.report()
    for k, changed in enumerate((numbers | {name: None}, {key: v for key, v in numbers.items() if key != name})):
        made = written(tmp_path / str(k), changed, tiny_report.rows(seeds=1)[:40])
        assert EMPTY[name] in plain(made)
        assert made.count("<h2>") == 12


def nulled(value):
    """The same with every number, and every list of numbers, null."""
    if isinstance(value, dict):
        return {key: nulled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [nulled(one) for one in value]
    return None if isinstance(value, int | float) and not isinstance(value, bool) else value


def test_numbers_that_are_null_or_nan_everywhere_leave_a_page(tmp_path, undrawn):
    made = written(tmp_path / "null", nulled(tiny_report.report()))
    assert made.count("<h2>") == 12
    assert "nan" not in plain(made).lower().replace("nanometres", "")
    numbers = tiny_report.report()
    numbers["results"][0]["r2_log10"] = float("nan")
    assert "no honest number" in plain(written(tmp_path / "nan", numbers))


def test_only_report_json_gives_a_page_without_predictions(tmp_path, undrawn):
    tiny_report.write(tmp_path)
    (tmp_path / "out_of_fold.csv").unlink()
    text = plain(write.write(tmp_path).read_text(encoding="utf-8"))
    assert text.count("out_of_fold.csv holds no predictions of the model") == 3
    (tmp_path / "report.json").write_text("{}")
    assert "report.json holds no results, so nothing can be said." in plain(write.write(tmp_path).read_text(encoding="utf-8"))


def test_names_from_files_are_escaped(tmp_path, undrawn):
    bad = '<script>alert("x")</script> & $a_{b}$'
    numbers = json.loads(json.dumps(tiny_report.report()).replace('"spectm"', json.dumps(bad)))
    numbers |= {"title": bad, "machine": bad, "command": bad}
    numbers["data"] |= {"source": bad, "left_out": {bad: 1}}
    rows = [row | {"model": bad, "station": bad} for row in tiny_report.rows() if row["model"] == "spectm"]
    made = written(tmp_path, numbers, rows)
    assert "<script" not in made
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; $a_{b}$" in made
    assert not re.search('alt="[^"]*<', made)


def test_a_dollar_sign_in_a_name_is_drawn_and_no_formula():
    rows = [r | {"model": "a $x_{ b"} for r in tiny_report.report()["label_efficiency"] if r["model"] == "ridge"]
    look = style.looks(["a $x_{ b"], None)
    uri = style.as_svg(lambda: figures.label_efficiency(rows, look, "$ \\frac{"))
    assert uri == style.as_svg(lambda: figures.label_efficiency(rows, look, "$ \\frac{"))
    assert "</svg>" in base64.b64decode(uri.split(",")[1]).decode()


def test_without_matplotlib_a_sentence_stands_for_each_figure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    made = written(tmp_path, tiny_report.report())
    assert "<img" not in made
    assert made.count("drawing figures needs matplotlib, and it is not installed; install the extra plot: pip install") == 26
    assert "Left out" not in made


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (None, FileNotFoundError, "give the work folder of a finished run"),
        ('{"results": [', ValueError, "report.json is no whole JSON file"),
        ("[]", ValueError, "expected a JSON object with results, got a list"),
    ],
)
def test_a_missing_or_damaged_report_is_a_sentence(text, error, said, tmp_path):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(error, match=re.escape(said)):
        write.write(tmp_path)


def test_a_damaged_prediction_file_is_a_sentence(tmp_path):
    path = tmp_path / "out_of_fold.csv"
    path.write_text("target,split\nnow,week\n")
    with pytest.raises(ValueError, match="model, seed, row, .* is missing"):
        read_predictions(path)
    rows = tiny_report.rows()
    tiny_report.write(tmp_path, {}, [rows[0], rows[1] | {"observed_ug_l": "<0.1"}])
    with pytest.raises(ValueError, match="out_of_fold.csv, line 3: expected numbers and an ISO time"):
        read_predictions(path)


def test_seeds_are_averaged_row_by_row(tmp_path):
    rows = []
    for seed, (predicted, chance) in enumerate(((1.0, 0.2), (4.0, 0.6))):
        row = tiny_report.rows(seeds=1)[0]
        rows.append(row | {"seed": seed, "predicted_ug_l": predicted, "upper_ug_l": 9 * predicted, "p_exceed_1_6": chance})
    tiny_report.write(tmp_path, {}, rows)
    ((where, found),) = read_predictions(tmp_path / "out_of_fold.csv").items()
    assert where == ("now", "week", "spectm")
    assert found.seeds == 2
    np.testing.assert_allclose(found.predicted, [2.0])  # geometric mean of 1 and 4
    np.testing.assert_allclose(found.upper, [18.0])
    np.testing.assert_allclose(found.exceed_1_6, [0.4])


def test_targets_and_splits_have_names_and_unknown_ones_keep_theirs():
    assert [words.target_name(t) for t in ("ahead", "next year", None)] == ["8 days ahead", "next year", ""]
    assert [words.split_name(s) for s in ("week", "year", None)] == ["one ISO week left out at a time", "year", ""]


def test_roc_moves_ties_together():
    positive = np.array([True, False, True, False])
    alarms, hits = roc(positive, np.array([0.9, 0.5, 0.5, 0.1]))
    np.testing.assert_allclose(alarms, [0, 0, 0.5, 1])
    np.testing.assert_allclose(hits, [0, 0.5, 1, 1])


def test_reliability_counts_and_has_an_interval_where_nothing_happened():
    positive = np.array([False] * 10 + [True, False])
    probability = np.array([0.1] * 10 + [0.7, 1.0])
    found = reliability(positive, probability, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(found.samples, [10, 2])
    np.testing.assert_allclose(found.forecast, [0.1, 0.85])
    np.testing.assert_allclose(found.observed, [0.0, 0.5])
    # Wilson, 0 of 10: from 0 to z2 / (n + z2) with z2 = 3.8415.
    np.testing.assert_allclose([found.low[0], found.high[0]], [0.0, 3.8415 / 13.8415], atol=1e-4)
    # 1 of 2: 1/2 -+ z sqrt(1/8 + z2/16) / (1 + z2/2).
    np.testing.assert_allclose([found.low[1], found.high[1]], [0.0945, 0.9055], atol=1e-4)


@pytest.fixture(scope="module")
def predictions(tmp_path_factory):
    folder = tiny_report.write(tmp_path_factory.mktemp("predictions"))
    return read_predictions(folder / "out_of_fold.csv")["now", "week", "spectm"]


def test_non_detects_are_open_triangles_in_the_strip_below_the_limit(predictions):
    figure = figures.predicted_against_observed(predictions, style.Look("b", "o", "-"), "now")
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    (triangles,) = [line for line in axes.lines if line.get_marker() == "^"]
    assert triangles.get_markerfacecolor() == "none"
    x = triangles.get_xdata()
    assert len(x) == predictions.censored.sum() > 2
    assert x.max() <= 0.1
    assert len(np.unique(x)) == len(x)
    labels = axes.get_legend_handles_labels()[1]
    assert {"1.6 µg/L", "8 µg/L"} <= set(labels)


def test_a_long_time_without_images_is_cut_out_of_the_series(predictions):
    figure = figures.station_series(predictions, "WE4", predictions.time, 100.0, style.Look("b", "o", "-"))
    first, second = figure.axes
    assert (first.get_xlabel(), second.get_xlabel()) == ("2024", "2025")
    drawn = [sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "_") for axes in (first, second)]
    assert drawn == [10, 2]
    assert [text.get_text() for text in second.get_xticklabels()] == ["Jun"]


def test_ridge_and_ours_keep_their_colours_whoever_else_is_there():
    few = style.looks(["ours", "ridge"], "ours")
    many = style.looks(["x", "y", "ridge", "season", "z", "ours", "frozen probe, random"], "ours")
    assert many["ours"].colour == few["ours"].colour == "#0072B2"
    assert many["ridge"].colour == few["ridge"].colour == "#D55E00"
    assert len({(look.colour, look.marker, look.line) for look in many.values()}) == 7


def test_known_features_are_shaded_where_they_absorb_and_lines_stop_at_gaps():
    axes = spectra.attribution(tiny_report.report()["attribution"]["now"], "now").axes[0]
    bands = sorted((p.get_x(), p.get_x() + p.get_width()) for p in axes.patches)
    assert bands == [(615, 640), (660, 680), (695, 720)]
    assert {text.get_text() for text in axes.texts} == {"PC", "Chl a", "red edge"}
    ends = [(line.get_xdata()[0], line.get_xdata()[-1]) for line in axes.lines]
    assert ends == [(400.0, 585.0), (613.0, 720.5)]
