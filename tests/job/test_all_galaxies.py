from collections import Counter
from types import SimpleNamespace

import pytest

from helper_functions.job import all_galaxies
from helper_functions.job.all_galaxies import nothing_text, processing_order

SURVEY = SimpleNamespace(segments={id_dr3: SimpleNamespace(n_pixels=10 * id_dr3) for id_dr3 in (1, 2, 3, 4)})


@pytest.mark.parametrize(
    ("jobs", "begun", "order"),
    [
        (1, set(), [2, 9, 4, 1, 3]),
        (1, {"9", "1"}, [2, 4, 3, 9, 1]),
        (2, set(), [4, 3, 2, 1, 9]),  # 9 has no segment
        (2, {"4", "2"}, [3, 1, 9, 4, 2]),
    ],
)
def test_begun_galaxies_come_last_and_large_ones_first_with_several_jobs(jobs, begun, order, tmp_path, monkeypatch):
    monkeypatch.setattr(all_galaxies, "ids_with_records", lambda output: begun)
    assert processing_order(SURVEY, [2, 9, 4, 1, 3], tmp_path, jobs) == order


def test_a_call_that_clusters_nothing_says_what_to_do():
    said = nothing_text(Counter({"too few pixels": 1, "no pixels": 2}), 15.0)
    assert said.startswith("no galaxy was clustered (2 no pixels, 1 too few pixels): lower --snr-thresh, now 15, or")
    assert nothing_text(Counter({"no regions": 2}), 15.0) == "no galaxy was clustered (2 no regions): see above"
