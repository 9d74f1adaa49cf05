"""The campaign of generated inputs, in short, and its control: faults that are planted must be seen."""

import numpy as np
import pytest

from tests import input_campaign
from tests.input_campaign import Outcome, difference

SEDS = np.array([[1.0, 2.0], [3.0, 1.0]])
CLEAN = Outcome(0, "a note", np.array([[1, 2]]), SEDS, 0.1 * SEDS, "", "")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"seds": SEDS * (1 + 1e-8)}, ""),
        ({"seds": SEDS * (1 + 1e-5)}, "seds differ by 1e-05 silently"),
        ({"errors": SEDS}, "errors differ by 9 silently"),
        ({"labels": np.array([[2, 1]])}, "labels differ, pixels 2 instead of 2 silently"),
        ({"seds": SEDS[:1]}, "seds have the shape (1, 2) instead of (2, 2) silently"),
        ({"labels": None, "message": "no pixels"}, "refused: no pixels"),
        ({"crash": "Traceback\nKeyError: 7"}, "a traceback: KeyError: 7"),
    ],
)
def test_what_differs_from_the_clean_outcome_is_told(changed, said):
    assert difference(CLEAN._replace(**changed), CLEAN) == said


def test_a_fault_must_be_refused_in_one_line_or_told():
    refused = CLEAN._replace(labels=None, message="no pixels")
    assert difference(refused, CLEAN, may_differ=True) == ""
    assert difference(refused._replace(message=""), CLEAN, may_differ=True) == "refused without a reason"
    assert difference(refused._replace(message="one\ntwo"), CLEAN, may_differ=True) == "refused in several lines"
    other = CLEAN._replace(seds=2 * SEDS)
    assert difference(other, CLEAN, may_differ=True) == "seds differ by 1 silently"
    assert difference(other._replace(message="a band has no data"), CLEAN, may_differ=True) == ""


def test_a_unit_that_is_misread_is_seen(tmp_path, monkeypatch):
    """The control, with the whole job: an example in another unit is right, and wrong where units are not read."""
    base = input_campaign.clean_base(tmp_path / "clean")
    clean = input_campaign.run_job(input_campaign.example(base, [], 0), tmp_path / "example")
    assert clean.labels.max() == 2
    changed = input_campaign.example(base, ["units", "types", "row_order"], 1)
    assert difference(input_campaign.run_job(changed, tmp_path / "example"), clean) == ""
    monkeypatch.setattr("helper_functions.survey.images.calibration", lambda *_, **__: (1.0, ""))
    assert "silently" in difference(input_campaign.run_job(changed, tmp_path / "example"), clean)
