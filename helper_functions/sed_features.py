"""SED_FEATURES: breaks, slopes, colours, lines and dust, measured from photometry at a known redshift."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from astropy import constants
from astropy import units as u
from sedpy.observate import Filter

from helper_functions.filters import load_filter
from helper_functions.fitting.bagpipes_setup import cosmology
from helper_functions.fitting.line_ratios import CASE_B, LAWS, LOG_LUMINOSITY_PER_SFR, powers_of_ratio
from helper_functions.spectrum_model import LINES, Prior, Target, infer, line_wavelengths, spectrum_prior

DETECTION_SNR = 2.0  # SNR above which a flux or an equivalent width counts as detected
IN_BAND = 0.5  # response at a line, relative to the maximum, above which a band contains it
OUT_OF_BAND = 0.05  # response at a line, relative to the maximum, below which a band is free of it
LYMAN_ALPHA = 1216.0  # Angstrom; bands that reach below it are not used
SLOPES = np.arange(-8, 8.001, 0.02)  # grid of beta
UNCOVERED, ONE_SIDE = "not covered", "no band on one side"
FAINT, WEAK = f"continuum below {DETECTION_SNR:g} sigma", f"below {DETECTION_SNR:g} sigma"
NEGATIVE = f"negative at more than {DETECTION_SNR:g} sigma: absorption, or a wrong continuum"
EDGE, MOVED = "line near a band's edge at some redshifts in the range", "error mostly of the redshift"
UNDETECTED = f"a line below {DETECTION_SNR:g} sigma"
LINE_CENTRES = dict(zip(LINES, line_wavelengths(), strict=True))  # Angstrom
# Share of H alpha in H alpha and [NII]. Ratios of lines differ between simulated populations (seeds 500 to 799), hence
# relative errors of that share, and of the flux of H alpha and [NII], as [SII] is in the same bands.
HALPHA_SHARE = LINES["halpha_nii"].shares[1] / sum(LINES["halpha_nii"].shares)
NII_ERROR, SII_ERROR = 0.15, 0.06


class Feature(NamedTuple):
    """A spectral feature and its measurement."""

    measure: Callable  # (Feature, Photometry) -> value and error, (n,)
    unit: str | None
    meaning: str  # for tables
    source: str  # reference of the definition
    parts: tuple  # names in TARGETS of which it is the ratio
    sides: tuple  # rest-frame windows, Angstrom: each must contain the centre of a band
    spread: float  # half of the 16-84% range among simulated populations: the prior width
    line: str = ""  # name in LINES of a line that some band must contain
    model_error: float = 0.0  # without noise, where `spectrum_model` does not include it (seeds 500 to 799)
    needs: tuple = ()  # names in SED_FEATURES of lines that must be covered and detected


class RestFrame(NamedTuple):
    """The bands used at a redshift, common to all SEDs of a galaxy."""

    bands: tuple  # n_bands names
    redshift: float
    use: np.ndarray  # (n_bands,), their indices among all bands
    edges: np.ndarray  # (n_bands, 2), Angstrom
    centres: np.ndarray  # (n_bands,), mean wavelength, Angstrom
    at_lines: dict  # name in LINES -> response at its wavelengths over the band's maximum, (n_bands, n_wavelengths)
    prior: Prior  # of the bands and TARGETS


class Photometry(NamedTuple):
    """SEDs in rest-frame bands, and the posterior of TARGETS given these."""

    flux: np.ndarray  # (n, n_bands), f_nu
    error: np.ndarray  # (n, n_bands)
    frame: RestFrame
    mean: dict  # name in TARGETS -> posterior mean, (n,)
    covariance: dict  # pair of names -> posterior covariance, (n,)
    unit: str  # of the fluxes


class Measured(NamedTuple):
    """A feature of n SEDs; NaN where it cannot be measured."""

    value: np.ndarray  # (n,)
    error: np.ndarray  # (n,)
    flag: np.ndarray  # (n,), str: why it cannot be measured, or a caveat; else empty


# ---- how features are measured ----------------------------------------------


def bands_within(feature, data):
    """Whether each band lies between the first and the last edge of a feature's windows, bool, (n_bands,)."""
    return (data.frame.edges[:, 0] >= feature.sides[0][0]) & (data.frame.edges[:, 1] <= feature.sides[-1][1])


@lru_cache(maxsize=64)
def power_law_fluxes(band, redshift):
    """Mean f_nu in a band of f_lambda ~ lambda^beta for all SLOPES, 1 at 1900 Angstrom at rest; (n_slopes,)."""
    wavelength, response = rest_frame_curve(band, redshift)
    at = np.log(wavelength)
    powers = np.exp((SLOPES[:, None] + 2) * (at - np.log(1900)))
    return np.trapezoid(powers * response, at) / np.trapezoid(response, at)


def power_law(feature, data):
    """Slope beta of f_lambda ~ lambda^beta, by a chi2 fit to the fluxes of the bands within the windows.

    Negative fluxes are used like all others, which a fit to log fluxes could not do.
    """
    inside = bands_within(feature, data)
    known = np.isfinite(data.flux) & np.isfinite(data.error) & inside
    inverse = np.where(known, 1 / np.where(known, data.error, 1), 0)
    values = np.where(known, data.flux, 0) * inverse
    models = np.ones((len(SLOPES), len(inside)))
    for band in np.flatnonzero(inside):
        models[:, band] = power_law_fluxes(data.frame.bands[band], data.frame.redshift)
    match, norm = (values * inverse) @ models.T, inverse**2 @ (models**2).T
    gain = np.where(match > 0, match, 0) ** 2 / np.where(norm > 0, norm, 1)  # chi2 of zero flux less that of the fit
    best = np.argmax(gain, axis=1)
    fits = (known.sum(axis=1) > 1) & (best > 0) & (best < len(SLOPES) - 1)
    best = np.clip(best, 1, len(SLOPES) - 2)
    low, middle, high = (gain[np.arange(len(best)), best + step] for step in (-1, 0, 1))
    bend = np.where(fits, 2 * middle - low - high, 1)
    step = SLOPES[1] - SLOPES[0]
    value = SLOPES[best] + 0.5 * step * (high - low) / np.where(bend > 0, bend, 1)
    fits &= (bend > 0) & (middle > DETECTION_SNR**2)
    error = step * np.sqrt(2 / np.where(bend > 0, bend, 1))  # delta chi2 = 1
    return np.where(fits, value, np.nan), np.where(fits, error, np.nan)


def ratio(feature, data):
    """Ratio of two targets, and its error to first order; the denominator must be detected."""
    upper, lower = feature.parts
    detected = data.mean[lower] > DETECTION_SNR * np.sqrt(data.covariance[lower, lower])
    below = np.where(detected, data.mean[lower], np.nan)
    value = data.mean[upper] / below
    variance = (
        data.covariance[upper, upper]
        - 2 * value * data.covariance[upper, lower]
        + value**2 * data.covariance[lower, lower]
    )
    return value, np.sqrt(np.maximum(variance, 0)) / below


def colour(feature, data):
    """Difference of AB magnitudes of two targets, both of which must be detected."""
    value, error = ratio(feature, data)
    upper = feature.parts[0]
    value = np.where(data.mean[upper] > DETECTION_SNR * np.sqrt(data.covariance[upper, upper]), value, np.nan)
    return -2.5 * np.log10(value), 2.5 / np.log(10) * error / value


def line_fluxes(names, data):
    """Observed fluxes of lines, erg/s/cm2, of shape (n_lines, n), and their covariance, (n_lines, n_lines, n).

    The posterior gives equivalent width times continuum, as f_nu times rest-frame Angstrom. This is converted with
    f_lambda = c f_nu / lambda^2 and a factor 1 + z of the width. SII_ERROR is included.
    """
    centres = np.array([LINE_CENTRES[name] for name in names])
    factor = (1 * u.Unit(data.unit) * constants.c / u.AA).to_value(FLUX)
    scale = factor / (centres**2 * (1 + data.frame.redshift))
    covariance = np.array([[data.covariance[one, other] for other in names] for one in names])
    flux = scale[:, None] * np.array([data.mean[name] for name in names])
    covariance *= (scale[:, None] * scale)[:, :, None]
    for place, name in enumerate(names):
        covariance[place, place] += (SII_ERROR * flux[place]) ** 2 * (name == "halpha_nii")
    return flux, covariance


def line_flux(feature, data):
    """Observed flux of a line, erg/s/cm2, and its error."""
    flux, covariance = line_fluxes(feature.parts, data)
    return flux[0], np.sqrt(covariance[0, 0])


def log_product(feature, data, powers):
    """Logarithm of the product of powers of the fluxes of H alpha and a Paschen line, and its error to first order.

    [NII] is taken out of H alpha. NaN unless both lines are detected.
    """
    flux, covariance = line_fluxes(feature.parts, data)
    detected = (flux > DETECTION_SNR * np.sqrt(np.einsum("iin->in", covariance))).all(axis=0)
    flux = np.where(detected, flux, np.nan)
    slopes = np.array(powers)[:, None] / flux
    variance = np.einsum("in,ijn,jn->n", slopes, covariance, slopes) + (powers[0] * NII_ERROR) ** 2
    return powers @ np.log(flux * [[HALPHA_SHARE], [1]]), np.sqrt(variance)


def attenuation(feature, data, law):
    """A_V from H alpha over a Paschen line; negative where the ratio is above that of Case B."""
    slope, _ = powers_of_ratio(law, *(LINE_CENTRES[name] for name in feature.parts))
    value, error = log_product(feature, data, (slope, -slope))
    return value - slope * np.log(CASE_B[feature.parts[1]]), error


def star_formation(feature, data, law):
    """Star formation rate, solar masses per year, from the luminosity of H alpha, corrected for `attenuation`."""
    _, power = powers_of_ratio(law, *(LINE_CENTRES[name] for name in feature.parts))
    value, error = log_product(feature, data, (1 - power, power))
    area = 4 * np.pi * cosmology().luminosity_distance(data.frame.redshift).to_value(u.cm) ** 2
    rate = area * np.exp(value) * CASE_B[feature.parts[1]] ** power / 10**LOG_LUMINOSITY_PER_SFR
    return rate, rate * error


# ---- what is measured -------------------------------------------------------


def _window(blue, red):
    """Target for the mean of f_nu over wavelength, as in definitions of breaks: photons have the weight lambda."""
    wavelength = np.linspace(blue, red, 50)
    edges = [blue - 1e-3, red + 1e-3]
    return Target(np.r_[edges[0], wavelength, edges[1]], np.r_[0, wavelength, 0])


BESSELL_U, BESSELL_V, TWOMASS_J = Filter("bessell_U"), Filter("bessell_V"), Filter("twomass_J")


def _filter(curve):
    return Target(curve.wavelength, curve.transmission)


def _line(name):
    at = np.average(LINES[name].wavelengths, weights=LINES[name].shares)
    place = np.array([0.995, 0.996, 1.004, 1.005]) * at, np.array([0.0, 1, 1, 0])
    return {name: Target(*place, line=name), f"{name}_continuum": Target(*place, with_lines=False)}


MEASURED_LINES = ("oiii_hbeta", "halpha_nii", "paschen_beta", "paschen_alpha")
TARGETS = {
    "3500": _window(3400, 3600),
    "4200": _window(4150, 4250),
    "3900": _window(3850, 3950),
    "4050": _window(4000, 4100),
    "U": _filter(BESSELL_U),
    "V": _filter(BESSELL_V),
    "J": _filter(TWOMASS_J),
}
for _name in MEASURED_LINES:
    TARGETS |= _line(_name)

FLUX = "erg / (s cm2)"
EXCESS = "excess flux of the bands that contain the line over the continuum of the other bands; rest frame"
NEAR_BREAK = ((2900, 3680), (3950, 4900))


def _width(line, meaning, sides, spread):
    parts = line, f"{line}_continuum"
    return Feature(ratio, "Angstrom", f"equivalent width of {meaning}", EXCESS, parts, sides, spread, line)


SED_FEATURES = {
    "beta": Feature(
        power_law,
        None,
        "UV continuum slope, f_lambda ~ lambda^beta, from bands within 1268 to 2580 Angstrom",
        "Calzetti et al. (1994), ApJ 429, 582",
        (),
        ((1268, 1900), (1900, 2580)),
        spread=1.1,
        model_error=0.15,
    ),
    "balmer_break": Feature(
        ratio,
        None,
        "Balmer break: mean f_nu at 4150 to 4250 over that at 3400 to 3600 Angstrom",
        "Binggeli et al. (2019), MNRAS 489, 3827; windows as in Wilkins et al. (2024), MNRAS 527, 7965",
        ("4200", "3500"),
        NEAR_BREAK,
        spread=0.7,
    ),
    "d4000": Feature(
        ratio,
        None,
        "4000 Angstrom break: mean f_nu at 4000 to 4100 over that at 3850 to 3950 Angstrom, both from the bands there",
        "Balogh et al. (1999), ApJ 527, 54",
        ("4050", "3900"),
        NEAR_BREAK,
        spread=0.2,
    ),
    "ew_oiii_hbeta": _width("oiii_hbeta", "[OIII] 4960, 5008 and H beta", ((3950, 4960), (4960, 6400)), 340),
    "ew_halpha_nii": _width("halpha_nii", "H alpha and [NII] 6550, 6585", ((5100, 6560), (6560, 8800)), 500),
    "ew_paschen_beta": _width("paschen_beta", "Paschen beta", ((10200, 12820), (12820, 16500)), 100),
    "ew_paschen_alpha": _width("paschen_alpha", "Paschen alpha", ((14500, 18750), (18750, 24000)), 400),
    "u_v": Feature(
        colour,
        "mag",
        "rest-frame colour U - V, AB, filters of Bessell (1990)",
        "filters: Bessell (1990), PASP 102, 1181; interpolated between bands as by Rudnick et al. (2003), ApJ 599, 847",
        ("U", "V"),
        ((2900, 3650), (3650, 4600), (4500, 5500), (5500, 7000)),
        spread=0.6,
    ),
    "v_j": Feature(
        colour,
        "mag",
        "rest-frame colour V - J, AB, filters V of Bessell (1990) and J of 2MASS",
        "filters: Bessell (1990), PASP 102, 1181; Cohen et al. (2003), AJ 126, 1090; as u_v",
        ("V", "J"),
        ((4500, 5500), (5500, 7000), (10000, 12400), (12400, 16000)),
        spread=0.7,
    ),
}

LIGHT = "of a region: of all its light; of a pixel: per pixel"


def _flux(line):
    width = SED_FEATURES[f"ew_{line}"]
    meaning = width.meaning.replace("equivalent width", "flux") + f", observed frame; {LIGHT}"
    source = "equivalent width times continuum, which are inferred together"
    return width._replace(measure=line_flux, unit=FLUX, meaning=meaning, source=source, parts=(line,), spread=0.0)


def _by_dust(measure, unit, meaning, source, line, law, spread):
    function, law_source = LAWS[law]
    lines = "halpha_nii", line
    source = f"{source}; Case B of Osterbrock & Ferland (2006); dust: {law_source}"
    needs = tuple(f"flux_{each}" for each in lines)
    meaning = meaning.format(line=line.replace("_", " ").capitalize())
    return Feature(partial(measure, law=function), unit, meaning, source, lines, (), spread, needs=needs)


RATIO = "ratio of line fluxes without [NII]"
RATE = f"star formation rate from H alpha, corrected for dust by {{line}}, not for magnification; {LIGHT}"
KENNICUTT = "Kennicutt & Evans (2012), ARA&A 50, 531, Kroupa IMF"
PAIRS = [(line, law) for line in CASE_B for law in LAWS]
SED_FEATURES |= {f"flux_{line}": _flux(line) for line in MEASURED_LINES}
SED_FEATURES |= {
    f"a_v_{line}_{law}": _by_dust(
        attenuation, "mag", "attenuation A_V of lines, from H alpha over {line}", RATIO, line, law, spread=0.8
    )
    for line, law in PAIRS
}
SED_FEATURES |= {
    f"sfr_{line}_{law}": _by_dust(star_formation, "solMass / yr", RATE, KENNICUTT, line, law, spread=0.0)
    for line, law in PAIRS
}


def rest_frame_curve(band, redshift):
    """Wavelength in Angstrom at rest, and response of a band."""
    curve = load_filter(band)
    return curve.wavelength / (1 + redshift), curve.transmission


@lru_cache(maxsize=8)
def rest_frame(bands, redshift):
    """`RestFrame` of a tuple of bands; cached for the runs and pixels of a galaxy."""
    filters = [load_filter(band) for band in bands]
    edges = np.array([(each.blue_edge, each.red_edge) for each in filters]).reshape(-1, 2) / (1 + redshift)
    use = np.flatnonzero((edges[:, 0] > LYMAN_ALPHA) & (edges[:, 1] < 30000))
    curves = [rest_frame_curve(bands[band], redshift) for band in use]
    centres = np.array([np.average(w, weights=r) for w, r in curves])
    at_lines = {}
    for name, line in LINES.items():
        seen = [np.interp(line.wavelengths, w, r / r.max(), left=0, right=0) for w, r in curves]
        at_lines[name] = np.array(seen).reshape(-1, len(line.wavelengths))
    used = tuple(bands[band] for band in use)
    return RestFrame(used, redshift, use, edges[use], centres, at_lines, spectrum_prior(curves, TARGETS.values()))


def measure_features(flux, error, bands, redshift, *, unit="10 nJy", only_covered=True):
    """Measure all features of SEDs.

    Parameters
    ----------
    flux, error : ndarray of shape (n, n_bands)
        Flux densities f_nu in any unit, and their total errors; NaN where there is no data.
    bands : sequence of n_bands str
        In any order.
    redshift : float
    unit : str
        Of the fluxes; line fluxes and star formation rates depend on it.
    only_covered : bool
        Mask features that no band covers; else these have the large errors that follow from their priors.

    Returns
    -------
    dict
        Name in SED_FEATURES -> Measured; without a redshift all are NaN and flagged.
    """
    flux, error = np.asarray(flux, dtype=float), np.asarray(error, dtype=float)
    n = len(flux)
    if not np.isfinite(redshift):
        nothing = Measured(np.full(n, np.nan), np.full(n, np.nan), np.full(n, "no redshift"))
        return dict.fromkeys(SED_FEATURES, nothing)
    frame = rest_frame(tuple(map(str, bands)), float(redshift))
    flux, error = flux[:, frame.use], error[:, frame.use]
    mean, covariance = infer(flux, error, frame.prior)
    names = list(TARGETS)
    data = Photometry(
        flux,
        error,
        frame,
        dict(zip(names, mean.T, strict=True)),
        {(a, b): covariance[:, i, j] for i, a in enumerate(names) for j, b in enumerate(names)},
        unit,
    )
    return {name: _measured(feature, data, only_covered) for name, feature in SED_FEATURES.items()}


def _measured(feature, data, only_covered):
    """Measure a feature: NaN where the bands with data do not cover it, if wanted."""
    held, sides = (each | (not only_covered) for each in coverage(feature, data))
    value, error = feature.measure(feature, data)
    error = np.hypot(error, feature.model_error)
    known = held & sides & np.isfinite(value) & np.isfinite(error)
    value, error = np.where(known, value, np.nan), np.where(known, error, np.nan)
    unknown = UNDETECTED if feature.needs else FAINT
    flag = np.select([~held, ~sides, ~known], [UNCOVERED, ONE_SIDE, unknown], _strength(feature, value, error))
    return Measured(value, error, flag)


def _strength(feature, value, error):
    """Flag of lines that are weak or negative, str of shape (n,); empty for others, and for other features."""
    weak, negative = np.abs(value) < DETECTION_SNR * error, value <= -DETECTION_SNR * error
    return np.select([weak & bool(feature.line), negative & bool(feature.line)], [WEAK, NEGATIVE], "")


def measure_in_range(flux, error, bands, redshift, redshift_range):
    """Measure all features of SEDs, with the error of the redshift: see `measure_features` for other parameters.

    The error is the quadratic sum of the mean error at `redshift` and at both ends of the range, and of half the spread
    of the values there. A line that is in no band at one of these has the large error of its prior there. Features
    whose error is mostly due to the redshift are flagged.

    Parameters
    ----------
    redshift_range : (float, float)
        16th and 84th percentile; not finite where not known, equal to each other for a redshift that has no error.
    """
    found = measure_features(flux, error, bands, redshift)
    if not (np.isfinite([redshift, *redshift_range]).all() and redshift_range[0] < redshift_range[1]):
        return found
    ends = [measure_features(flux, error, bands, z, only_covered=False) for z in redshift_range]
    return {
        name: _with_redshift_error(SED_FEATURES[name], each, [end[name] for end in ends])
        for name, each in found.items()
    }


def _with_redshift_error(feature, found, others):
    """Add the error of the redshift to a feature, `Measured`, from its values at other redshifts."""
    known, every = np.isfinite(found.value), [found, *others]
    # NaN, for a continuum too faint for a ratio, counts as no difference.
    values, errors = (
        np.array([np.where(np.isfinite(each[part]), each[part], found[part]) for each in every]) for part in (0, 1)
    )
    error = np.sqrt(np.mean(errors**2, axis=0) + (np.ptp(values, axis=0) / 2) ** 2)
    flag = np.where(known, _strength(feature, found.value, error), found.flag).tolist()
    word, moved = EDGE if feature.line else MOVED, error > np.sqrt(2) * found.error
    flag = [", ".join(filter(None, (word * bool(off), each))) for off, each in zip(moved, flag, strict=True)]
    return Measured(found.value, error, np.array(flag, dtype=str))


def coverage(feature, data):
    """Whether some band with data contains a feature's line, and whether each window has a band; bool, (n,) each."""
    if feature.needs:
        return np.all([coverage(SED_FEATURES[name], data) for name in feature.needs], axis=0)
    known = np.isfinite(data.flux) & np.isfinite(data.error)
    centres = data.frame.centres
    free = np.ones(len(centres), dtype=bool) if feature.parts else bands_within(feature, data)
    if feature.line:
        strength = data.frame.at_lines[feature.line]
        free = (strength < OUT_OF_BAND).all(axis=1)
        held = known[:, (strength > IN_BAND).all(axis=1)].any(axis=1)
    within = [known[:, (centres > low) & (centres < high) & free].any(axis=1) for low, high in feature.sides]
    if not feature.line:
        held = np.any(within, axis=0)
    return held, np.all(within, axis=0)
