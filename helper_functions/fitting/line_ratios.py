"""Dust from the ratio of H alpha to a Paschen line, and star formation rate from H alpha."""

import numpy as np

# Intrinsic flux of H alpha over that of the line: Case B, 10^4 K, 100 per cm3. Osterbrock & Ferland (2006), table 4.4,
# relative to H beta: H alpha 2.863, Paschen alpha 0.339, Paschen beta 0.163.
CASE_B = {"paschen_beta": 2.863 / 0.163, "paschen_alpha": 2.863 / 0.339}
LOG_LUMINOSITY_PER_SFR = 41.27  # of H alpha, erg/s per solar mass/yr, Kroupa IMF: Kennicutt & Evans (2012), table 1
# Extinction in the SMC bar, Gordon et al. (2003), ApJ 594, 279, table 4: micrometres and A / A_V. The values at 2.198
# and 1.25, which are not smooth there, are those of Gordon et al. (2016), ApJ 826, 104.
SMC = np.array([(2.198, 0.11), (1.65, 0.169), (1.25, 0.25), (0.81, 0.567), (0.65, 0.801), (0.55, 1.0)])


def calzetti(wavelength):
    """A / A_V of Calzetti et al. (2000), ApJ 533, 682, equation 4, with R_V = 4.05; for 6300 to 22000 Angstrom."""
    return 1 + 2.659 * (-1.857 + 1.040 / (wavelength / 1e4)) / 4.05


def smc(wavelength):
    """A / A_V of the SMC bar, interpolated in inverse wavelength; for 5500 to 21980 Angstrom."""
    return np.interp(1e4 / wavelength, 1 / SMC[:, 0], SMC[:, 1])


LAWS = {  # name -> (function, where it is from)
    "calzetti": (calzetti, "Calzetti et al. (2000), ApJ 533, 682"),
    "smc": (smc, "SMC bar of Gordon et al. (2003), ApJ 594, 279"),
}


def powers_of_ratio(law, halpha, paschen):
    """How A_V and the dust-free flux of H alpha depend on the fluxes of H alpha and of a Paschen line.

    Without dust F(H alpha) / F(Paschen) is R, so that A_V = slope ln(F(H alpha) / F(Paschen) / R), and the flux of
    H alpha without dust is F(H alpha)^(1 - power) (R F(Paschen))^power.

    Parameters
    ----------
    law : callable
        A / A_V at wavelengths in Angstrom.
    halpha, paschen : float
        Wavelengths of the lines, Angstrom, rest frame.

    Returns
    -------
    slope : float
        Magnitudes.
    power : float
    """
    difference = law(halpha) - law(paschen)
    return -2.5 / np.log(10) / difference, law(halpha) / difference
