import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from helper_functions.survey.catalogs import check_columns, column_names, read_columns, read_ids, read_redshifts


def catalog(path, ids, z_50=1.0, z_16=None, z_84=None):
    """A catalog of redshifts; ranges of 0.1 either way unless they are given."""
    z_50 = np.broadcast_to(np.asarray(z_50, dtype=float), np.shape(ids))
    columns = {"id": ids, "z_16": z_50 - 0.1 if z_16 is None else z_16, "z_50": z_50}
    Table(columns | {"z_84": z_50 + 0.1 if z_84 is None else z_84}).write(path, overwrite=True)
    return path


@pytest.mark.parametrize("impossible", [-1.0, -99.0, 1e30, np.inf, np.nan, 20.5])
def test_an_impossible_redshift_is_unknown_and_said_of_galaxies_asked_for(tmp_path, impossible):
    path = catalog(tmp_path / "sps.fits", [7, 8, 9], [2.0, impossible, impossible], [1.9] * 3, [2.1] * 3)
    with pytest.warns(
        UserWarning,
        match=rf"sps\.fits has no possible redshift.* for 1 of .*: id 8 z_50 {re.escape(f'{impossible:g}')}$",
    ):
        redshifts = read_redshifts(path, [7, 8])
    assert redshifts[7] == (1.9, 2.0, 2.1)
    np.testing.assert_array_equal([redshifts[8], redshifts[9]], [(1.9, np.nan, 2.1)] * 2)
    read_redshifts(path, [7])  # nobody asked for the others


def test_zero_and_the_largest_redshift_are_possible(tmp_path):
    path = catalog(tmp_path / "sps.fits", [7, 8], [0.0, 20.0], [0.0, 19.0], [0.1, 20.0])
    assert read_redshifts(path, [7, 8]) == {7: (0.0, 0.0, 0.1), 8: (19.0, 20.0, 20.0)}


def test_an_impossible_range_leaves_the_redshift(tmp_path):
    path = catalog(tmp_path / "sps.fits", [7], 2.0, [-99.0], [np.inf])
    with pytest.warns(UserWarning, match=r"id 7 z_16 -99, z_84 inf"):
        assert np.array_equal(read_redshifts(path, [7])[7], (np.nan, 2.0, np.nan), equal_nan=True)


def test_many_galaxies_are_counted_and_five_are_named(tmp_path):
    path = catalog(tmp_path / "sps.fits", np.arange(1, 9), -1.0, np.ones(8), np.ones(8))
    with pytest.warns(UserWarning, match=r"for 8 of .*: id 1 z_50 -1; .*id 5 z_50 -1; and 3 more$"):
        read_redshifts(path, range(1, 9))


def test_rows_of_one_id_that_differ_make_its_redshift_unknown(tmp_path):
    path = catalog(tmp_path / "sps.fits", [7, 8, 7, 8, 9], [2.0, 1.0, 3.0, 1.0, 4.0])
    with pytest.warns(UserWarning, match=r"sps\.fits has rows that differ for id 7: "):
        redshifts = read_redshifts(path, [8])
    assert np.isnan(redshifts[7]).all()
    assert (redshifts[8][1], redshifts[9][1]) == (1.0, 4.0)


def test_rows_of_one_id_that_are_both_unknown_agree(tmp_path):
    path = catalog(tmp_path / "sps.fits", [7, 7], [np.nan, np.nan])
    assert np.isnan(read_redshifts(path, [8])[7]).all()


@pytest.mark.parametrize(
    "column",
    [
        np.array([7, 2**63, 2**64 - 1, 0], dtype=np.uint64),
        np.array([7.0, 1e20, -3.0, 7.5, np.nan, np.inf]),
        np.array([7, -1, 0, -(2**63)]),
        np.array([7, 0], dtype=np.int16),
    ],
)
def test_what_is_no_id_is_left_out(tmp_path, column):
    path = catalog(tmp_path / "catalog.fits", column)
    assert read_ids(path) == {7}
    assert list(read_redshifts(path, [7, 2**63, -1, 10**30])) == [7]


def test_the_table_may_follow_an_image_and_have_capitals(tmp_path):
    table = Table({"ID": [7, 8], "Z_50": [1.0, 2.0]})
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 3))), fits.BinTableHDU(table)]
    fits.HDUList(hdus).writeto(tmp_path / "catalog.fits")
    assert column_names(tmp_path / "catalog.fits") == ["id", "z_50"]
    assert read_columns(tmp_path / "catalog.fits", ["z_50"])[0].tolist() == [1.0, 2.0]


def test_columns_without_numbers_and_files_without_a_table_are_named(tmp_path):
    path = tmp_path / "catalog.fits"
    Table({"id": ["7", "eight"], "z": np.ones((2, 3))}).write(path)
    for name in ("id", "z"):
        with pytest.raises(ValueError, match=rf"column {name} of .*catalog\.fits holds .*: want numbers"):
            read_columns(path, [name])
    fits.PrimaryHDU(np.ones((3, 3))).writeto(path, overwrite=True)
    with pytest.raises(OSError, match=r"catalog\.fits cannot be read as a FITS catalog \(it holds no table\)"):
        read_ids(path)


def test_a_damaged_packed_catalog_is_named(tmp_path):
    path = catalog(tmp_path / "catalog.fits.gz", np.arange(1, 20001))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OSError, match=r"catalog\.fits\.gz cannot be read as"):
        read_ids(path)


@pytest.mark.parametrize(
    ("z_columns", "expected"),
    [(("Z", "DZ"), (1.75, 2.0, 2.25)), (("z",), (np.nan, 2.0, np.nan)), (("low", "z", "up"), (1.9, 2.0, 2.3))],
)
def test_redshifts_of_other_columns(tmp_path, z_columns, expected):
    """They are in the second table of the file; ids have another name, too."""
    columns = {"NUMBER": [7], "z": [2.0], "dz": [0.25], "low": [1.9], "up": [2.3]}
    tables = [Table({"number": [7], "mag": [20.0]}), Table(columns)]
    hdus = [fits.PrimaryHDU(), *(fits.BinTableHDU(table) for table in tables)]
    fits.HDUList(hdus).writeto(tmp_path / "catalog.fits")
    found = read_redshifts(tmp_path / "catalog.fits", [7], "number", z_columns)
    np.testing.assert_array_equal(found[7], expected)
    assert read_ids(tmp_path / "catalog.fits", "Number") == {7}
    assert check_columns(tmp_path / "catalog.fits", ["number", *z_columns]) == 1
    with pytest.raises(ValueError, match="has no column id: it has number, mag, NUMBER, z, dz, low, up; set"):
        read_redshifts(tmp_path / "catalog.fits", [7], "id", z_columns)


def test_an_impossible_error_leaves_the_redshift(tmp_path):
    Table({"id": [7], "z": [2.0], "dz": [-1.0]}).write(tmp_path / "catalog.fits")
    with pytest.warns(UserWarning, match="id 7 dz -1"):
        found = read_redshifts(tmp_path / "catalog.fits", [7], z_columns=("z", "dz"))
    np.testing.assert_array_equal(found[7], (np.nan, 2.0, np.nan))


def test_what_is_masked_is_missing(tmp_path):
    """Rows without an id are left out; the value of TNULL is none, in a column of whole numbers or of T and F."""
    masked = {"mask": [False, True, False, False], "fill_value": 999999}
    columns = {
        "id": MaskedColumn([7, 8, 9, 10], **masked),
        "n": MaskedColumn([1, 1, 2, 3], mask=[False, False, True, False]),
    }
    path = tmp_path / "catalog.fits"
    Table(columns | {"good": [True, True, False, True], "flag": [True, True, True, False]}).write(path)
    raw = path.read_bytes()
    with fits.open(path, mode="update") as hdus:
        assert hdus[1].columns["id"].null == 999999
        np.asarray(hdus[1].data)["flag"][0] = 0  # neither T nor F
    ids, number, good, flag = read_columns(path, ["id", "n", "good", "flag"])
    assert ids.tolist() == [7, 9, 10]
    np.testing.assert_array_equal(number, [1, np.nan, 3])
    assert (good.dtype, good.tolist()) == (bool, [True, False, True])
    assert path.read_bytes() != raw
    np.testing.assert_array_equal(flag, [np.nan, 1, 0])
    assert read_ids(path) == {7, 9, 10}


@pytest.mark.parametrize(("dtype", "largest"), [(np.float32, 2**24), (np.float64, 2**53)])
def test_ids_that_floats_cannot_tell_apart_are_refused(tmp_path, dtype, largest):
    """Codes for no id do not matter; whole numbers of 64 bits are exact, also if some are masked."""
    path = tmp_path / "catalog.fits"
    for largest_id, is_refused in ((largest, False), (largest + 2, True)):
        Table({"id": np.array([7, largest_id, np.nan, -99, 1e30], dtype=dtype)}).write(path, overwrite=True)
        if is_refused:
            with pytest.raises(
                ValueError, match=rf"column id of .*catalog\.fits holds .*-bit floats.* to {largest}, and"
            ):
                read_ids(path)
        else:
            assert read_ids(path) == {7, largest}
    ids = MaskedColumn([7, largest + 1, 9], mask=[False, False, True], fill_value=999999)
    Table({"id": ids}).write(path, overwrite=True)
    assert read_ids(path) == {7, largest + 1}
