import numpy as np
import pytest
from conftest import BLUE, RED

from helper_functions.methods.systematics import Systematics, solve_seds

LIGHT = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1], [1, 3]])
PATTERN = np.array([[1.0], [-1], [0], [2], [-1]])
NOTHING = np.zeros((2, 6))


def solved(amplitude, limit):
    """SEDs and amplitudes from the noiseless fluxes of two SEDs and a pattern with this amplitude in the last band."""
    amplitudes = np.append(np.zeros(5), amplitude)
    flux = LIGHT @ np.array([RED, BLUE]) + PATTERN * amplitudes
    parts = np.column_stack([LIGHT, PATTERN])
    matrix = np.tile(parts.T @ parts, (6, 1, 1))
    systematics = Systematics(PATTERN, np.zeros((1, 6)), np.full((1, 6), limit))
    return flux, *solve_seds(matrix, parts.T @ flux, NOTHING, NOTHING, systematics)


def test_seds_and_amplitudes_within_the_limit_are_exact():
    _, seds, amplitudes = solved(0.3, limit=0.5)
    np.testing.assert_allclose(seds, [RED, BLUE])
    np.testing.assert_allclose(amplitudes[0], [0, 0, 0, 0, 0, 0.3], atol=1e-12)


def test_amplitudes_do_not_exceed_their_limit():
    """What is left of them goes into the SEDs, which fit fluxes less the limited pattern by least squares."""
    flux, seds, amplitudes = solved(-0.9, limit=0.5)
    np.testing.assert_allclose(amplitudes[0], [0, 0, 0, 0, 0, -0.5], atol=1e-12)
    expected = np.linalg.lstsq(LIGHT, flux - PATTERN * amplitudes, rcond=None)[0]
    np.testing.assert_allclose(seds, expected)
    assert seds[0, 5] != pytest.approx(RED[5], rel=0.01)
