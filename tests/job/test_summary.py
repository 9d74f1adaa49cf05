import numpy as np

import data_paths
from helper_functions.job.runs import Run
from helper_functions.job.save_results import save_table
from helper_functions.job.summary import COLUMNS, failed_row, load_rows, one_line, summary_table

RUN = Run("kmeans", "L2", "euclidean")


def test_rows_survive_the_disk(tmp_path):
    rows = [failed_row(7, RUN, ValueError("out of the blue")), failed_row(8, RUN, "has no meaning", "refused")]
    for _ in range(2):  # what was read must be fit to be written again
        save_table(data_paths.summary_path(tmp_path), summary_table(rows))
        rows = list(load_rows(tmp_path).values())
    assert [row["id_dr3"] for row in rows] == [7, 8]
    assert [row["status"] for row in rows] == ["failed", "refused"]
    assert rows[0]["message"] == "ValueError: out of the blue"
    assert rows[0]["neighbours"] == ""
    assert np.isnan(rows[0]["seconds"])
    assert set(rows[0]) == set(COLUMNS)


def test_a_summary_of_an_earlier_version_keeps_its_rows(tmp_path):
    old = summary_table([failed_row(7, RUN, "no", "refused")])
    old.remove_column("n_incomplete")
    old["gone"] = 1
    save_table(data_paths.summary_path(tmp_path), old)
    ((key, row),) = load_rows(tmp_path).items()
    assert key == (7, "kmeans_L2")
    assert set(row) == set(COLUMNS)
    assert row["n_incomplete"] == 0
    assert load_rows(tmp_path / "nowhere") == {}


def test_one_line_says_what_was_found_and_what_went_wrong():
    bad = failed_row(7, RUN, "no", "refused")
    good = bad | {"status": "ok", "n_pixels": 90, "n_clusters": 3, "run": "dbscan_L2", "message": "no data in f814w"}
    assert (
        one_line([good, bad], "out")
        == "7: 90 pixels; clusters: dbscan_L2 3; no data in f814w; kmeans_L2: refused (no) -> out"
    )
    assert one_line([bad, bad], "out") == "7: refused: no"
