"""Fields of a task's file: of another type, out of range, or in words that are not known, they are told by file and field."""

import pytest

from spectral_jax.tasks.spec import TaskSpec

START = 'title = "own"\nkind = "segmentation"\n'
BROKEN = [
    ('image_px = "128"', "image_px is '128'; expected a whole number"),
    ("image_px = 0", "image_px is 0; expected 1 or more"),
    ("dates = 1.5", "dates is 1.5; expected a whole number"),
    ("loss = 3", "loss is 3; expected text"),
    ("classes = 3", "classes is 3; expected a table"),
    ('[classes]\ncodes = "1,2"', "classes.codes is '1,2'; expected a list of whole numbers, or of lists of them"),
    ("[classes]\ncodes = [1, 2.5]", "classes.codes is .*expected a list of whole numbers"),
    ("[classes]\nignored = [[0]]", "classes.ignored is .*expected a list of whole numbers"),
    ("[classes]\ncodes = [1, true]", "classes.codes is .*expected a list of whole numbers"),
    ('[classes]\nnames = "Wheat"', "classes.names is 'Wheat'; expected a list of texts"),
    ("[targets]\nnames = [3]", "targets.names is .*expected a list of texts"),
    ('[split]\ntrain = "12"', "split.train is '12'; expected a whole number"),
    ("[split]\ntrain = -1", "split.train is -1; expected 0 or more"),
    ("channels = 3", "channels is 3; expected tables, each under"),
    ('[[channels]]\nsensor = "camera"\ncount = "224"', "channels.count is '224'; expected a whole number"),
    ('[[channels]]\nsensor = "camera"\nbands = "B2"', "channels.bands is 'B2'; expected a list of texts"),
    ('[[channels]]\nsensor = "camera"\nbands = ["B2"]\ncount = 2', "of camera has count = 2 and 1 bands"),
    ("[[channels]]\ncount = 2", "has no sensor; add the sensor of its bands"),
    ('[[channels]]\nsensor = "enmap_l2a"\nunit = "furlong"', "enmap_l2a: the unit 'furlong' is not known here"),
    ('[[channels]]\nsensor = "enmap_l2a"\nunit = "K"', "enmap_l2a: the unit is 'K', and numbers in the unit 1"),
    ('[[channels]]\nsensor = "EnMAP-L2A"', "sensor 'EnMAP-L2A'; the name of data_specs/sensors is 'enmap_l2a'"),
    ('[layout]\nname = "hdf5"\norder = "CHW"', "layout.order is 'CHW'; expected NHWC or NCHW"),
    ('[layout]\nname = "hdf5"\nmissing = "-9999"', "layout.missing is '-9999'; expected a list of numbers"),
    ('[layout]\nname = "hdf5"\nscene = "("', "layout.scene is '\\(', which is no pattern"),
    ('[layout]\nname = "zarr"\nmising = [0]', "no option is called 'mising'; the names are, closest first: missing, "),
    ("[layout", "expected TOML in UTF-8, and it cannot be read"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_a_field_that_is_not_what_it_should_be_is_told(tmp_path, text, sentence):
    path = tmp_path / "own.toml"
    path.write_text(START + text)
    with pytest.raises(ValueError, match=f"own.toml: .*{sentence}"):
        TaskSpec.load(str(path))


@pytest.mark.parametrize("unit", ["reflectance * 1e4", "1", "%", ""])
def test_units_that_are_understood_or_not_stated_load(tmp_path, unit):
    path = tmp_path / "own.toml"
    path.write_text(f'{START}[[channels]]\nsensor = "enmap_l2a"\nunit = "{unit}"')
    if unit == "%":
        with pytest.raises(ValueError, match="the unit is '%'"):
            TaskSpec.load(str(path))
    else:
        assert TaskSpec.load(str(path)).channels[0].unit == unit
