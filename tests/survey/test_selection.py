import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from conftest import plant

from helper_functions.survey.selection import chosen_ids


def choose(folder, ids="all", select=None):
    return chosen_ids(ids, select, folder, "uncover")


@pytest.mark.parametrize(
    ("select", "ids"),
    [
        (None, [7, 8, 9, 10, 11, 12, 13]),
        ("z_50 > 1.4", [7, 8, 9, 11]),
        ("Z_50 > 1.4 and ra > 0 and id != 8", [7, 9, 11]),
        ("n_pix > 400 or n_pix == 0", [7, 13]),  # 13 has no pixel in the segmap
        ("id < 9", [7, 8]),
    ],
)
def test_galaxies_are_selected_by_either_catalog_and_by_size(select, ids, survey_folder):
    assert (plant()[0] == 7).sum() > 400
    assert choose(survey_folder, select=select) == ids
    assert choose(survey_folder, [11, 7], select) == [id_dr3 for id_dr3 in (11, 7) if id_dr3 in ids or not select]


def test_rows_of_the_catalogs_are_joined_by_id(survey_folder):
    """Redshifts in another order, and none for galaxy 9: it is neither below nor above any."""
    path = survey_folder / "UNCOVER_v5.3.0_LW_SUPER_SPScatalog_spsv1.0.fits"
    table = Table.read(path)
    table[table["id"] != 9][::-1].write(path, overwrite=True)
    assert choose(survey_folder, select="z_50 > 1.4") == [7, 8, 11]
    assert choose(survey_folder, select="z_50 > 1.4 or z_50 <= 1.4") == [7, 8, 10, 11, 12, 13]


def test_a_selection_for_nothing_and_an_unknown_column_say_so(survey_folder):
    with pytest.raises(ValueError, match="'z_50 > 19' holds for none of 7 galaxies"):
        choose(survey_folder, select="z_50 > 19")
    with pytest.raises(ValueError, match="'z_50' gives numbers"):
        choose(survey_folder, select="z_50")
    with pytest.raises(ValueError, match=r"names 'z_5', which is no column of .*: there is .*z_50"):
        choose(survey_folder, select="z_5 > 1")


@pytest.mark.parametrize(
    "name", ["UNCOVER_v5.2.0_LW_SUPER_CATALOG.fits", "UNCOVER_v5.3.0_LW_SUPER_SPScatalog_spsv1.0.fits"]
)
def test_masked_values_are_not_selected_and_truth_values_are(name, survey_folder):
    """Ids 7 to 13: number 99, masked for id 8; good for ids below 10."""
    table = Table.read(survey_folder / name)
    table["number"] = MaskedColumn([99] * 7, mask=table["id"] == 8)
    table["good"] = table["id"] < 10
    table.write(survey_folder / name, overwrite=True)
    assert choose(survey_folder, select="number > 0") == [7, 9, 10, 11, 12, 13]
    assert choose(survey_folder, select="good and number > 0") == [7, 9]
    assert choose(survey_folder, select="number != 0") == choose(survey_folder, select="not number == 0")
    assert choose(survey_folder, select="number != 0") == [7, 9, 10, 11, 12, 13]
    assert choose(survey_folder, select="not good") == choose(survey_folder, select="good == 0") == [10, 11, 12, 13]


@pytest.mark.parametrize(
    "name", ["UNCOVER_v5.2.0_LW_SUPER_CATALOG.fits", "UNCOVER_v5.3.0_LW_SUPER_SPScatalog_spsv1.0.fits"]
)
def test_a_logical_column_with_an_undefined_value_is_a_condition(name, survey_folder):
    """Good for ids below 10, undefined for id 8: neither T nor F is stored."""
    table = Table.read(survey_folder / name)
    table["good"] = table["id"] < 10
    table.write(survey_folder / name, overwrite=True)
    with fits.open(survey_folder / name, mode="update") as hdus:
        np.asarray(hdus[1].data)["good"][table["id"] == 8] = 0
    assert choose(survey_folder, select="good") == [7, 9]
    assert choose(survey_folder, select="not good") == choose(survey_folder, select="good != 1") == [10, 11, 12, 13]
    assert choose(survey_folder, select="not isfinite(good)") == [8]
