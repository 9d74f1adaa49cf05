import pytest

from helper_functions.job.setting_values import galaxies, number, selection

read = galaxies(number(int, lowest=1))


def test_ids_come_from_numbers_and_files_in_their_order(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("# of the first field\n7, 8\n\n9\t10 # and 11\n")
    assert read("", [3, "5", str(path)]) == [3, 5, 7, 8, 9, 10]
    assert read("", str(path)) == [7, 8, 9, 10]
    assert read("", "all") == read("", ["all"]) == "all"


def test_ids_asked_for_twice_are_done_once_and_named(tmp_path):
    (tmp_path / "ids").write_text("\n".join(map(str, [*range(1, 13)] * 2)))
    with pytest.warns(UserWarning, match=r"duplicate ids are ignored: 1, 2, .*, 10 and 2 more$"):
        assert read("", str(tmp_path / "ids")) == list(range(1, 13))


def test_a_file_of_ids_may_have_a_byte_order_mark_and_any_letters(tmp_path):
    (tmp_path / "ids").write_bytes("\ufeff7 # 0.5 µJy\n8\n".encode())
    assert read("", str(tmp_path / "ids")) == [7, 8]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"7\n8 nine\n", r"ids.txt, line 2: id_dr3 must be a whole number of at least 1, found 'nine'"),
        (b"7\n-3\n", r"ids.txt, line 2: .* found '-3'"),
        (b"7.5", r"ids.txt, line 1: .* found '7.5'"),
        (b"# nothing\n\n", "no galaxy asked for"),
        (b"\xff\xfe\x00\x81", "ids.txt is not a file of ids: it is not a text file"),
    ],
)
def test_junk_in_a_file_of_ids_is_named_with_its_line(content, message, tmp_path):
    (tmp_path / "ids.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read("", str(tmp_path / "ids.txt"))


def test_a_selection_is_checked_without_the_catalogs():
    assert selection("select", "z_50 > 1 and n_pix > 500") == "z_50 > 1 and n_pix > 500"
    with pytest.raises(ValueError, match="gives numbers, not true or false"):
        selection("select", "z_50 + 1")


@pytest.mark.parametrize("condition", ["use_phot", "not use_phot", "use_phot and z_50 > 1", "use_phot - b2 > 0"])
def test_columns_may_be_logical_before_they_are_read(condition):
    assert selection("select", condition) == condition
