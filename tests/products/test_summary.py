from contextlib import contextmanager

import numpy as np
import pytest
from astropy.table import Table
from conftest import celestial_wcs, pixel_seds
from planted_results import result_of

from data_paths import output_path
from helper_functions.files.records import GALAXY, save_record
from helper_functions.products.runs import RECOMMENDED_RUN, Run
from helper_functions.products.summary import (
    MESSAGE_LENGTH,
    SUMMARY_COLUMNS,
    Summary,
    failed_row,
    flux_centroid,
    galaxy_report,
    message_of,
    ok_row,
    quality_notes,
)
from helper_functions.quality.cross_checks import HARDLY_AGREE, REPRODUCIBLE
from helper_functions.quality.misfit import BAD_FIT

RUN = Run("kmeans", "L2", "euclidean")


def record(output, id_dr3, run=RUN, **row):
    save_record(output, id_dr3, run.name, row=failed_row(id_dr3, run, "no", "refused") | row)


def table(output):
    return Table.read(output_path(output, "summary"))


def test_the_table_is_made_from_the_records(tmp_path):
    record(tmp_path, 8, Run("dbscan", "L2", "euclidean"), n_pixels=5)
    record(tmp_path, 8)
    record(tmp_path, 7, message="out of\nthe # blue")
    save_record(tmp_path, 7, GALAXY, files={})
    save_record(tmp_path, 9, "unfinished", files={})
    record(tmp_path, 8, RECOMMENDED_RUN)
    Summary(tmp_path).write()
    rows = table(tmp_path)
    assert rows["id_dr3"].tolist() == [7, 8, 8, 8]
    assert rows["run"].tolist() == ["kmeans_L2", "blended_mixture", "dbscan_L2", "kmeans_L2"]
    assert rows["recommended"].tolist() == [False, True, False, False]
    assert rows["n_pixels"][2] == 5
    assert all(rows[name].description for name in rows.colnames)
    assert {str(rows[name].unit) for name in ("ra", "dec")} == {"deg"}
    assert set(rows.colnames) == set(SUMMARY_COLUMNS)
    assert np.isnan(rows["seconds"]).all()


def test_messages_are_one_line():
    assert failed_row(7, RUN, "first\n# second", "refused")["message"] == "first # second"
    assert failed_row(7, RUN, ValueError("out of the blue"))["message"] == "ValueError: out of the blue"
    long = failed_row(7, RUN, ValueError("word " * 1000))["message"]
    assert MESSAGE_LENGTH - 10 < len(long) <= MESSAGE_LENGTH
    assert long.endswith("word ...")


def test_records_of_another_call_are_seen(tmp_path):
    record(tmp_path, 7)
    first = Summary(tmp_path)
    first.write()
    record(tmp_path, 8)
    Summary(tmp_path).write()
    first.write()
    assert table(tmp_path)["id_dr3"].tolist() == [7, 8]


def test_of_calls_that_wait_for_each_other_only_one_writes_what_all_have_done(tmp_path, monkeypatch):
    """While this call waits for the lock, one other writes (begun before this one asked), or two."""
    record(tmp_path, 7)
    mine, other = Summary(tmp_path), Summary(tmp_path)
    written = []
    monkeypatch.setattr(mine, "_write", lambda: written.append(True))
    for meanwhile, times in ((1, 1), (2, 1)):
        lock = mine._lock

        @contextmanager
        def waited(lock=lock, meanwhile=meanwhile):
            for _ in range(meanwhile):
                other.write()
            with lock():
                yield

        with monkeypatch.context() as patch:
            patch.setattr(mine, "_lock", waited)
            mine.write()
        assert len(written) == times
    assert table(tmp_path)["id_dr3"].tolist() == [7]


def test_now_and_then_is_not_while_another_call_writes(tmp_path):
    record(tmp_path, 7)
    summary = Summary(tmp_path)
    with Summary(tmp_path)._lock():
        summary.write_regularly()
    assert not output_path(tmp_path, "summary").exists()
    summary._next = 0
    summary.write_regularly()
    assert output_path(tmp_path, "summary").exists()


def test_a_record_of_an_earlier_version_keeps_its_row(tmp_path):
    old = {name: value for name, value in failed_row(7, RUN, "no", "refused").items() if name != "n_incomplete"}
    save_record(tmp_path, 7, RUN.name, row=old | {"gone": 1})
    Summary(tmp_path).write()
    assert set(table(tmp_path).colnames) == set(SUMMARY_COLUMNS)
    assert table(tmp_path)["n_incomplete"][0] == 0


@pytest.mark.parametrize("damage", [b"", b"# %ECSV 1.0\n# ---\n# dat", b"anything"])
def test_a_damaged_table_is_set_aside_named_and_made_anew(damage, tmp_path):
    record(tmp_path, 7)
    Summary(tmp_path).write()
    path = output_path(tmp_path, "summary")
    path.write_bytes(damage)
    with pytest.warns(
        UserWarning, match=r"summary\.ecsv was changed by others: it is renamed to .*summary_set_aside_\d+"
    ):
        summary = Summary(tmp_path)
    summary.write()
    assert table(tmp_path)["id_dr3"].tolist() == [7]
    (aside,) = tmp_path.glob("summary_set_aside_*.ecsv")
    assert aside.read_bytes() == damage


def test_a_damaged_record_costs_its_row_only(tmp_path):
    record(tmp_path, 7)
    record(tmp_path, 8)
    output_path(tmp_path, "record", id=7, name=RUN.name).write_text("{")
    Summary(tmp_path).write()
    assert table(tmp_path)["id_dr3"].tolist() == [8]


def test_one_line_says_what_was_found_and_what_went_wrong():
    bad = failed_row(7, RUN, "no", "refused")
    good = bad | {"status": "ok", "n_pixels": 90, "n_clusters": 3, "run": "dbscan_L2", "message": "no data in f814w"}
    assert (
        galaxy_report([good, bad], "out")
        == "7: 90 pixels; clusters: dbscan_L2 3; no data in f814w; kmeans_L2: refused (no) -> out"
    )
    assert galaxy_report([bad, bad], "out") == "7: refused: no"
    other = good | {"run": "kmeans_L2", "message": "no data in f814w; smaller than the PSF: cluster 2"}
    both = galaxy_report([good, other], "out")
    assert both == "7: 90 pixels; clusters: dbscan_L2 3, kmeans_L2 3; no data in f814w -> out"


def test_a_bad_fit_and_bands_that_disagree_are_said_with_their_numbers():
    row = failed_row(7, RUN, "no", "refused")
    assert quality_notes(row) == []  # nothing is known
    fine = row | {"bands_agree": HARDLY_AGREE, "bands_agree_err": 0.2, "misfit_chi2": 1.2, "seeds_agree": REPRODUCIBLE}
    assert quality_notes(fine) == []
    assert quality_notes(fine | {"seeds_agree": 0.74}) == [
        "labels depend on the random start: ARI 0.74 with other seeds"
    ]
    bad = {"misfit": "f300m f356w", "misfit_chi2": 6.1, "bands_agree": 0.2, "bands_agree_err": 0.05}
    assert quality_notes(row | bad) == [
        "residuals are 2.5 times the expected errors (chi2 6.1), most in F300M, F356W: "
        "bands not registered, a PSF not matched, or more populations",
        "maps of odd and even bands hardly agree (0.20 +- 0.05)",
    ]


def test_the_centroid_of_a_galaxy_is_weighted_by_its_light():
    """By hand: three parts of the light at column 3, one at column 7, so at 4; a pixel that is negative weighs nothing,
    and a band without data does not count."""
    flux = np.array([[3.0, 3.0], [1.0, np.nan], [-1.0, -1.0]])
    seds = pixel_seds(flux, np.ones((3, 2)), np.array([1e4, 2e4]))
    seds = seds._replace(rows=np.array([5, 5, 0]), cols=np.array([3, 7, 0]))
    expected = celestial_wcs().wcs_pix2world(4, 5, 0)
    np.testing.assert_allclose(flux_centroid(seds, celestial_wcs()), expected, rtol=0, atol=1e-9)
    dark = seds._replace(flux=-np.ones((3, 2)))
    middle = celestial_wcs().wcs_pix2world(10 / 3, 10 / 3, 0)
    np.testing.assert_allclose(flux_centroid(dark, celestial_wcs()), middle, rtol=0, atol=1e-9)


def test_a_message_is_short_and_the_most_important_first():
    notes = [f"{word} " + "x" * 200 for word in ("first", "second", "third", "fourth")]
    message = message_of(notes)
    assert message.startswith("first x")
    assert message.endswith("x; and 2 more in the header of the label file")
    assert len(message) <= MESSAGE_LENGTH
    assert message_of(["one", "two"]) == "one; two"
    assert message_of([]) == ""
    assert message_of(["long " * 300]).startswith("long long")  # one is always said


def test_the_row_of_a_run_names_the_bands_that_do_not_fit(two_shapes):
    good = result_of(two_shapes, "kmeans", "euclidean")
    row, _ = ok_row(good)
    assert (row["misfit"], row["message"]) == ("", "")
    assert row["misfit_chi2"] < BAD_FIT
    assert np.isnan(row["bands_agree"])  # it was not the first run
    flux = good.seds.flux.copy()
    flux[::2, 3] *= 1.5
    checks = {"bands_agree": 0.1, "bands_agree_err": 0.02, "seeds_agree": 0.9}
    bad = good._replace(seds=good.seds._replace(flux=flux), quality=good.quality | checks)
    row, _ = ok_row(bad)
    assert row["misfit"].split()[0] == "f200w"
    assert (row["bands_agree"], row["seeds_agree"]) == (0.1, 0.9)
    assert "most in F200W" in row["message"]
    assert row["message"].endswith("maps of odd and even bands hardly agree (0.10 +- 0.02)")
