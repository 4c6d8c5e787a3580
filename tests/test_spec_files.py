"""The text files of data_specs: found by name or path, and told with the closest where they are not."""

import pytest

from spectral_jax import spec_files
from spectral_jax.spec_files import read_table


def test_every_kind_has_its_folder_and_its_names():
    assert spec_files.folder("tasks").name == "tasks"
    assert "enmap_l2a" in spec_files.names("sensors")
    assert spec_files.names("statistics", ".csv") == ["enmap_potsdam", "enmap_simulated", "pace_simulated"]


def test_a_file_is_found_by_name_and_by_path(tmp_path):
    found = spec_files.find("tasks", "samson", "data.task", "task")
    assert found == spec_files.folder("tasks") / "samson.toml"
    (tmp_path / "mine.toml").write_text("")
    assert spec_files.find("tasks", str(tmp_path / "mine.toml"), "data.task", "task") == tmp_path / "mine.toml"


def test_a_wrong_name_is_told_with_the_closest_and_a_wrong_path_as_a_path():
    with pytest.raises(ValueError, match="data.task: no task is called 'samsn'; the names are, closest first: samson, "):
        spec_files.find("tasks", "samsn", "data.task", "task")
    sentence = "data.task: expected a file of a task, and no/samson.toml does not exist; correct the path, or give one of "
    with pytest.raises(FileNotFoundError, match=sentence):
        spec_files.find("tasks", "no/samson.toml", "data.task", "task")


def test_a_table_is_read_by_column_and_its_remarks_are_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("# from \u00b5 and\n# a year\nname,mean\na,1.5\n# in between\nb,\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv") == [{"name": "a", "mean": "1.5"}, {"name": "b", "mean": ""}]
    for row in ("c", "c,1,2"):
        (tmp_path / "t.csv").write_text(f"name,mean\na,1\n{row}\n")
        with pytest.raises(ValueError, match="t.csv: row 2 has another number of cells than the line of columns; mend it."):
            read_table(tmp_path / "t.csv")
