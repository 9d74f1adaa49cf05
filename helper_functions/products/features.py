"""Spectral features of the SEDs of regions and of pixels, as a table and as maps."""

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from helper_functions.composite_seds import SYSTEMATIC, best_fit_amplitude
from helper_functions.files.code import code_digest
from helper_functions.files.saving import image_hdu, with_descriptions
from helper_functions.pixel_seds import fill_image
from helper_functions.sed_features import SED_FEATURES, measure_features, measure_in_range

# A pixel's value whose error exceeds the spread of the feature among simulated populations is uninformative, unless the
# value is at least this many errors from 0, as equivalent widths of strong lines can be, and line fluxes must be.
MIN_SIGNIFICANCE = 3.0


def region_features(seds, composites, populations):
    """Features of the SEDs of a run, {kind: {name: Measured}} with an element for each cluster.

    `seds` provides the bands, the redshift and its range; `populations` may be None. SEDs are scaled to the total flux
    of their region, so that line fluxes are those of the whole region.
    """
    kinds = {"population": populations, "composite": composites}
    return {
        kind: measure_in_range(*scaled_to_total(each), seds.bands, seds.redshift, seds.redshift_range)
        for kind, each in kinds.items()
        if each is not None
    }


def scaled_to_total(seds):
    """SEDs of regions with their errors, each scaled to its total flux; (n_clusters, n_bands), 10 nJy.

    The total itself would be too low in bands that lack data in some pixels.
    """
    scale = best_fit_amplitude(seds.total, seds.total_error, seds.flux)[0][:, None]
    return scale * seds.flux, scale * np.hypot(seds.error, seds.systematic)


def pixel_features(seds):
    """Features of the SED of each pixel, {name: Measured}, NaN if the error is too large to be informative.

    The error of the redshift is not included: it is common to all pixels, and does not change what a map shows.
    """
    error = np.hypot(seds.error, SYSTEMATIC * seds.flux)
    found = measure_features(seds.flux, error, seds.bands, seds.redshift)
    return {name: mask_uninformative(each, SED_FEATURES[name].spread) for name, each in found.items()}


def mask_uninformative(measured, spread):
    """A feature with NaN for values with an error above `spread` and a significance below MIN_SIGNIFICANCE."""
    certain = measured.error < np.maximum(spread, np.abs(measured.value) / MIN_SIGNIFICANCE)
    value, error = (np.where(certain, each, np.nan) for each in measured[:2])
    return measured._replace(value=value, error=error)


def feature_maps(seds, shape):
    """Maps of the features known in some pixel, {name: (value, error)}, float32 images of this shape."""
    return {
        name: tuple(fill_image(shape, seds, values.astype(np.float32), np.nan) for values in each[:2])
        for name, each in pixel_features(seds).items()
        if np.isfinite(each.value).any()
    }


def feature_hdus(maps, cutout):
    """`HDUList` of the maps: an image for each feature, and an image of its error with the suffix _ERR."""
    header = cutout.wcs.to_header(relax=True)
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["REDSHIFT"] = (cutout.redshift, "redshift that features are measured at")
    header["CODE"] = (code_digest("results"), "digest of the code that made this")
    hdus = [fits.PrimaryHDU(header=header)]
    for name, images in maps.items():
        for ending, image in zip(("", "_ERR"), images, strict=True):
            hdu = image_hdu(name.upper() + ending, image, header)
            hdu.header["BUNIT"] = SED_FEATURES[name].unit or ""
            hdu.header["COMMENT"] = SED_FEATURES[name].meaning + (", standard error" if ending else "")
            hdus.append(hdu)
    return fits.HDUList(hdus)


def feature_table(found, redshift, names=()):
    """Table of `region_features` with a row for each kind and cluster; all are NaN if the redshift is NaN.

    `names` are those of a user's own regions, if any.
    """
    columns = {
        "cluster": (None, "label in the label image, from 1, sorted by decreasing number of pixels"),
        "name": (None, "name that a user gave the region"),
        "kind": (None, "population: unmixed SED; composite: mean SED of the members"),
    }
    values = {
        "cluster": [n for of_kind in found.values() for n in range(1, len(of_kind["beta"].value) + 1)],
        "kind": np.array([kind for kind, of_kind in found.items() for _ in of_kind["beta"].value], dtype=str),
    }
    if names:
        values["name"] = np.array([names[number - 1] for number in values["cluster"]])
    words = []
    for name, feature in SED_FEATURES.items():
        value, error, flag = (
            np.concatenate(each) for each in zip(*(kind[name] for kind in found.values()), strict=True)
        )
        unit = u.Unit(feature.unit) if feature.unit else None
        values |= {name: value, f"{name}_err": error}
        columns |= {name: (unit, f"{feature.meaning} ({feature.source})")}
        columns |= {f"{name}_err": (unit, f"error of {name}, including zero points and redshift")}
        if not feature.needs:  # else the flags of its lines say it
            words.append([f"{name}: {word}" if word else "" for word in flag])
    values["flag"] = np.array(["; ".join(filter(None, row)) for row in zip(*words, strict=True)], dtype=str)
    columns["flag"] = (
        None,
        "notes, such as why features are NaN; those on A_V and star formation are with the lines",
    )
    meta = {"content": "features of SEDs", "redshift": float(redshift), "code": code_digest("results")}
    return with_descriptions(Table(values, meta=meta), columns)
