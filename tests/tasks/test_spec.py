"""Task files: all load and agree with the published numbers, unknown names and broken files are refused in sentences."""

import pytest

from spectral_jax.tasks import read, spec
from spectral_jax.tasks.spec import TaskSpec

# Classes that count and images of each split: table of the downstream sets, SpectralEarth repository.
SPECTRAL_EARTH = {
    "enmap_cdl": (14, 1200, 160, 240),
    "enmap_nlcd": (15, 10125, 1350, 2025),
    "enmap_corine": (19, 8250, 1100, 1650),
    "enmap_eurocrops": (15, 1260, 180, 360),
    "enmap_bdforet": (12, 1912, 255, 383),
    "enmap_treemap": (24, 7500, 1000, 1500),
    "enmap_bnetd": (10, 1575, 210, 315),
    "desis_cdl": (14, 750, 100, 150),
    "eo1_cdl": (14, 357, 82, 111),
}
# Side in pixels, dates, classes with ignored ones, channels of a date, loss: PANGAEA (arXiv 2412.04204), table of datasets.
PANGAEA = {
    "hls_burn_scars": (512, 1, 2, 6, "cross-entropy"),
    "mados": (240, 1, 15, 11, "cross-entropy"),
    "pastis_r": (128, 6, 20, 13, "cross-entropy"),
    "sen1floods11": (512, 1, 2, 15, "cross-entropy"),
    "xview2": (1024, 2, 5, 3, "cross-entropy"),
    "five_billion_pixels": (520, 1, 25, 4, "cross-entropy"),
    "dynamic_earth_net": (1024, 6, 6, 4, "cross-entropy"),
    "crop_type_mapping_south_sudan": (64, 6, 4, 12, "cross-entropy"),
    "spacenet7": (256, 1, 2, 3, "Dice"),
    "ai4smallfarms": (496, 1, 2, 4, ""),
    "biomassters": (256, 12, 0, 15, "MSE"),
}
OTHERS = {
    "oxhyperminerals_emit", "gaofen5_wuhan", "hyperview1", "enmap_potsdam", "fuel_moisture", "algae_blooms", "samson", "soil",
    "terramesh_lulc",
}  # fmt: skip


def test_the_tasks_are_these():
    assert set(spec.names()) == set(SPECTRAL_EARTH) | set(PANGAEA) | OTHERS


@pytest.mark.parametrize("name", SPECTRAL_EARTH)
def test_spectral_earth_sets_have_the_published_numbers(name):
    task = TaskSpec.load(name)
    assert (task.classes, *dict(task.sizes).values()) == SPECTRAL_EARTH[name]
    assert task.image_px == 128
    assert task.others == "ignore"
    assert task.averaging == ("micro" if task.kind.name == "segmentation" else "")


@pytest.mark.parametrize("name", PANGAEA)
def test_pangaea_sets_have_the_published_numbers(name):
    task = TaskSpec.load(name)
    classes = task.published_classes or task.classes
    assert (task.image_px, task.dates, classes, sum(g.count for g in task.channels), task.loss) == PANGAEA[name]
    assert task.metric == ("RMSE" if name == "biomassters" else "mIoU")


@pytest.mark.parametrize("name", sorted(set(SPECTRAL_EARTH) | set(PANGAEA) | OTHERS))
def test_every_task_names_its_sources_and_can_be_read_or_says_why_not(name, tmp_path):
    task = TaskSpec.load(name)
    assert task.sources
    if task.layout == "unknown":
        with pytest.raises(
            ValueError, match=f"task {name}: the layout of the published files is not known here; .*{name}.toml"
        ):
            read.read(task, tmp_path)
    else:
        assert task.layout in read.LAYOUTS
        with pytest.raises(FileNotFoundError, match=f"task {name}: expected .*{tmp_path.name}"):
            read.read(task, tmp_path)


def test_an_unknown_task_is_refused_with_the_closest_first():
    sentence = r"task: no task is called 'enmap_cdll'; the names are, closest first: enmap_cdl, .*29 in all"
    with pytest.raises(ValueError, match=sentence):
        TaskSpec.load("enmap_cdll")
    with pytest.raises(FileNotFoundError, match=r"expected a file of a task, and elsewhere\.toml does not exist"):
        TaskSpec.load("elsewhere.toml")


BROKEN = [
    ('kind = "segment"', "kind: no kind of task is called 'segment'; the names are, closest first: segmentation, "),
    (
        'kind = "segmentation"\nimage_size = 3',
        "no field of a task is called 'image_size'; the names are, closest first: image_px, ",
    ),
    (
        'kind = "segmentation"\n[classes]\ncode = [1]',
        "no field of a task is called 'classes.code'; the names are, closest first: classes.codes, ",
    ),
    ('kind = "segmentation"\n[layout]\nname = "soil"\n[classes]\ncodes = [1]', "needs at least two classes, got 1"),
    ('kind = "segmentation"\n[classes]\ncodes = [1, 2]\nignored = [2]', "code 2 stands in two classes or is ignored too"),
    ('kind = "segmentation"\n[classes]\ncodes = [1, 2]\nnames = ["a"]', "1 class names for 2 classes"),
    ('kind = "segmentation"\n[classes]\ncodes = [1, 2]\nothers = "drop"', "others is 'drop'"),
    ('kind = "image_regression"', "a task of kind 'image_regression' needs targets"),
    ('kind = "image_regression"\n[targets]\nnames = ["a", "b"]\nunits = ["%"]', "1 units for 2 targets"),
    ('kind = "segmentation"\n[split]\nvalidation = 3', "the splits are validation; expected some of train, val, test"),
    ('kind = "segmentation"\n[[channels]]\nsenor = "x"', "has a row that is no group of channels"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_a_broken_task_file_is_refused(tmp_path, text, sentence):
    path = tmp_path / "own.toml"
    path.write_text('title = "own"\n' + text)
    with pytest.raises(ValueError, match=f"own.toml: .*({sentence})"):
        TaskSpec.load(str(path))


def test_an_unknown_layout_is_refused_where_it_would_be_read(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('title = "own"\nkind = "segmentation"\n[classes]\ncodes = [1, 2]\n[layout]\nname = "zip"')
    sentence = r"own.toml: \[layout\]: no layout is called 'zip'; the names are, closest first: .* \(22 in all\)"
    with pytest.raises(ValueError, match=sentence):
        read.read(str(path), tmp_path)


def test_codes_may_be_gathered_in_one_class():
    corine = TaskSpec.load("enmap_corine")
    assert corine.codes[corine.class_names.index("Arable land")] == (211, 212, 213)
    assert len({code for codes in corine.codes for code in codes}) == 32


def test_a_missing_option_names_the_file():
    with pytest.raises(ValueError, match=r"enmap_potsdam.toml: layout 'geotiff_pairs' needs the option 'splits'"):
        TaskSpec.load("enmap_potsdam").option("splits")
