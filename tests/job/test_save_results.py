import pytest

from helper_functions.job.save_results import check_writable, written_beside


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with written_beside(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"

    def die_half_way():
        with written_beside(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_half_way()
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"output folder .*file/out cannot be written .*: set CLUSTERING_FOLDER"):
        check_writable(tmp_path / "file" / "out")
    check_writable(tmp_path / "fine")
    assert list((tmp_path / "fine").iterdir()) == []
