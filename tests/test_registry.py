import pytest

from helper_functions.registry import choose, gather


def test_a_wrong_name_lists_the_right_ones():
    assert choose({"a": 1, "b": 2}, "b", "letter") == 2
    with pytest.raises(ValueError, match="unknown letter 'c': choose from a, b"):
        choose({"a": 1, "b": 2}, "c", "letter")


def test_a_file_in_a_folder_is_an_option_and_a_name_twice_is_an_error(tmp_path, monkeypatch):
    folder = tmp_path / "somebodys_options"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "first.py").write_text("OPTIONS = {'one': 1}\n")
    (folder / "helper.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert gather("somebodys_options", "OPTIONS") == {"one": 1}
    (folder / "second.py").write_text("OPTIONS = {'one': 2}\n")
    with pytest.raises(ValueError, match=r"somebodys_options\.second lists 'one' in OPTIONS, which another file lists"):
        gather("somebodys_options", "OPTIONS")
