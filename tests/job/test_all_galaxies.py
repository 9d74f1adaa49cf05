from types import SimpleNamespace

import pytest

from helper_functions.job import all_galaxies
from helper_functions.job.all_galaxies import processing_order

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
