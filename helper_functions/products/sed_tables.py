"""The SEDs of regions as tables: a row for each cluster and band, with units and descriptions."""

import numpy as np
from astropy import units as u
from astropy.table import Table

from helper_functions.files.code import code_digest
from helper_functions.files.saving import to_single_precision, with_descriptions
from helper_functions.filters import sedpy_name
from helper_functions.pixel_seds import in_segments
from helper_functions.population_seds import PopulationSEDs, flux_budget
from helper_functions.products.features import feature_table
from helper_functions.psf import psf_area_pixels
from helper_functions.survey.flux_units import FLUX_UNIT

TABLES = ("composites", "populations", "flux_budget", "region_features")  # names in `data_paths.OUTPUTS`
FAINTEST = 2.0  # sigma, fluxes below this are flagged
MIXED = 0.1  # fraction of a population's light where it is alone, below which it is flagged

# Columns of the tables of SEDs: unit, description.
SED_COLUMNS = {
    "cluster": (None, "label in the label image, from 1, sorted by decreasing number of pixels"),
    "name": (None, "name of the user's own region: tag, text or number in its file"),
    "band": (None, "name of the filter"),
    "filter": (None, "name of the filter curve in sedpy; empty if sedpy has none"),
    "wave_obs": (u.AA, "pivot wavelength, observed frame"),
    "wave_rest": (u.AA, "pivot wavelength, rest frame; NaN without a redshift"),
    "flux": (FLUX_UNIT, "flux per pixel (a mean, not a sum) of a pixel with the cluster's mean brightness"),
    "flux_err": (FLUX_UNIT, "error of flux: correlated noise, scatter of the members, blending by the PSF"),
    "flux_noise": (FLUX_UNIT, "part of flux_err without blending (composites: without scatter of members, too)"),
    "flux_shared": (FLUX_UNIT, "signed part of flux_err that is fully correlated between bands: light of other SEDs"),
    "flux_sys": (FLUX_UNIT, "zero-point error of flux, 2%; not in flux_err, to be added in quadrature"),
    "flux_p16": (FLUX_UNIT, "16th percentile of the members scaled to flux"),
    "flux_p84": (FLUX_UNIT, "84th percentile of the members scaled to flux"),
    "flux_median": (FLUX_UNIT, "weighted median of the members scaled to flux, robust against outliers"),
    "flux_confident": (FLUX_UNIT, "flux of the confident members only, scaled to flux; NaN if there are none"),
    "flux_total": (
        FLUX_UNIT,
        "total flux (a sum, not a mean) of all pixels of the cluster, or light of the population",
    ),
    "flux_total_err": (FLUX_UNIT, "error of flux_total: correlated noise and background"),
    "flux_whole": (
        FLUX_UNIT,
        "flux_total plus the flux of the added bins of pixels below the SNR threshold",
    ),
    "flux_whole_err": (FLUX_UNIT, "error of flux_whole"),
    "surface_brightness": (FLUX_UNIT / u.arcsec**2, "flux_total divided by area"),
    "n_pixels": (None, "number of members with data in the band"),
    "n_confident": (None, "number of confident members, which flux_confident is measured from"),
    "area": (u.arcsec**2, "area of the members with data in the band"),
    "ra": (u.deg, "right ascension of the flux-weighted centroid of the members"),
    "dec": (u.deg, "declination of the flux-weighted centroid of the members"),
    "similarity_median": (None, "median similarity (1 - b12) of the members to their composite"),
    "similarity_2sigma": (None, "2.3rd percentile of the similarity of the members to their composite"),
    "purity_low": (
        None,
        "lower limit of the fraction of flux that is the population's own, from non-negative light maps and SEDs",
    ),
    "alone": (None, "fraction of the population's light, before the PSF, in pixels with hardly any other light"),
    "flag": (None, "flags of the flux, such as no data or negative; empty if there are none"),
}
SPECTRA = {  # column -> field of `CompositeSEDs` and `PopulationSEDs`
    "flux": "flux",
    "flux_err": "error",
    "flux_noise": "noise",
    "flux_shared": "shared",
    "flux_sys": "systematic",
    "flux_total": "total",
    "flux_total_err": "total_error",
}
BUDGET_COLUMNS = {  # columns of the flux budget
    "band": SED_COLUMNS["band"],
    "wave_obs": SED_COLUMNS["wave_obs"],
    "selected": (FLUX_UNIT, "total flux of all selected pixels"),
    "clusters": (FLUX_UNIT, "part of selected in clusters: total flux of all populations, or of all members"),
    "unassigned": (FLUX_UNIT, "part of selected in pixels of no cluster"),
    "residual": (FLUX_UNIT, "remaining part: selected = clusters + unassigned + residual"),
    "bins": (FLUX_UNIT, "total flux of the bins of pixels that are not selected"),
    "segment": (FLUX_UNIT, "total flux of the segment, and of included neighbouring segments"),
    "selected_share": (None, "selected divided by segment; NaN if the segment has no flux"),
}


def sed_tables(result):
    """All tables of a `RunResult`, {name in TABLES: Table}."""
    seds, populations = result.seds, result.populations
    area, bins = psf_area_pixels(seds.pixel, seds.psf_fwhm), result.outskirts
    budget = flux_budget(seds, result.clustering, populations)
    tables = {
        "composites": composite_table(result.composites, seds, result.cutout.wcs, area, result.clustering.names, bins),
        "flux_budget": budget_table(budget, result.cutout, seds, bins),
        "region_features": feature_table(result.features, seds.redshift, result.clustering.names),
    }
    if populations is not None:
        tables["populations"] = population_table(populations, seds, area, bins)
    return {name: to_single_precision(table, exclude=("ra", "dec")) for name, table in tables.items()}


def composite_table(composites, seds, wcs, psf_area, names=(), outskirts=None):
    """Table of the composite SEDs of clusters, with a row for each cluster and band.

    Parameters
    ----------
    composites : CompositeSEDs
    seds : PixelSEDs
        Of all clustered pixels.
    wcs : WCS
        Of the cutout.
    psf_area : float
        Pixels.
    names : sequence of str
        Of the clusters, if a user gave them.
    outskirts : Outskirts or None

    Returns
    -------
    astropy.table.Table
    """
    values = _common_columns(composites, seds, outskirts) | {
        "flux_p16": composites.low,
        "flux_p84": composites.high,
        "flux_median": composites.median,
        "flux_confident": composites.confident,
        "n_pixels": composites.n_pixels,
        "n_confident": composites.n_confident[:, None],
        "similarity_median": composites.similarity_median[:, None],
        "similarity_2sigma": composites.similarity_2sigma[:, None],
    }
    place = composites.centroid[:, ::-1]
    ra, dec = wcs.wcs_pix2world(*place.T, 0) if len(place) else (place[:, 0], place[:, 1])
    values |= {"ra": np.asarray(ra)[:, None], "dec": np.asarray(dec)[:, None]}
    if names:
        values["name"] = np.array(names)[:, None]
    return _table(values, composites.n_pixels, seds, psf_area, "composites of the members of clusters")


def population_table(populations, seds, psf_area, outskirts=None):
    """Table of the unmixed SEDs of populations; see `composite_table`."""
    n_pixels = np.repeat(populations.n_pixels[:, None], len(seds.bands), axis=1)
    values = _common_columns(populations, seds, outskirts) | {"n_pixels": n_pixels}
    values |= {name: getattr(populations, name)[:, None] for name in ("purity_low", "alone")}
    mixed = [("nowhere alone", (populations.alone < MIXED)[:, None])]
    table = _table(values, n_pixels, seds, psf_area, "unmixed SEDs of populations", mixed)
    table.meta |= {"psf_width": populations.psf_width, "distinct": populations.distinct}
    table.meta["most_mixed"] = list(populations.most_mixed)
    return table


def read_populations(path, light, deconvolved, band):
    """`PopulationSEDs` from their table; None if there is no such file.

    `light` (n_pixels, n_clusters) is the flux of each population in each pixel in `band`, as in the label file, and
    `deconvolved` the same before the PSF.
    """
    if not path.is_file():
        return None
    table = Table.read(path)
    bands = list(dict.fromkeys(table["band"].tolist()))

    def column(name):
        return np.array(table[name], dtype=float).reshape(-1, len(bands))

    fields = {field: column(name) for name, field in SPECTRA.items()}
    unit = fields["flux"][:, bands.index(band)]
    fields |= {name: column(name)[:, 0] for name in ("purity_low", "alone")}
    fields |= {"light": light / unit, "before_psf": deconvolved / unit}
    fields |= {name: table.meta[name] for name in ("psf_width", "distinct")}
    fields["most_mixed"] = tuple(table.meta["most_mixed"])
    return PopulationSEDs(**fields, n_pixels=column("n_pixels")[:, 0].astype(int))


def _common_columns(spectra, seds, outskirts):
    whole = {}
    if outskirts is not None:
        whole["flux_whole"] = spectra.total + outskirts.flux
        whole["flux_whole_err"] = np.hypot(spectra.total_error, outskirts.error)
    return whole | {
        "cluster": np.arange(1, len(spectra.flux) + 1)[:, None],
        "band": np.array(seds.bands, dtype=str),
        "filter": np.array([sedpy_name(band) or "" for band in seds.bands], dtype=str),
        "wave_obs": seds.wavelengths,
        "wave_rest": seds.wavelengths / (1 + seds.redshift),
        **{column: getattr(spectra, field) for column, field in SPECTRA.items()},
    }


def _table(values, n_pixels, seds, psf_area, what, findings=()):
    area = n_pixels * seds.pixel**2
    values |= {
        "area": area,
        "surface_brightness": np.divide(values["flux_total"], area, out=np.full(area.shape, np.nan), where=area > 0),
        "flag": flags(values["flux"], values["flux_err"], n_pixels, psf_area, findings),
    }
    columns = {name: np.broadcast_to(values[name], n_pixels.shape).ravel() for name in SED_COLUMNS if name in values}
    meta = {"content": what, "redshift": float(seds.redshift), "code": code_digest("results")}
    return with_descriptions(Table(columns, meta=meta), SED_COLUMNS)


def flags(flux, error, n_pixels, psf_area, more=()):
    """Flags of each flux, separated by commas, str of shape (n_clusters, n_bands).

    `more` are further flags, pairs of a word and a bool array of the fluxes that it applies to.
    """
    most = n_pixels.max(axis=1, initial=0, keepdims=True)
    findings = [
        ("no data", np.isnan(flux)),
        ("one pixel", most == 1),
        ("smaller than the PSF", (most < psf_area) & (most > 1)),
        ("negative", flux < 0),
        (f"below {FAINTEST:g} sigma", (flux >= 0) & (flux < FAINTEST * error)),
        *more,
    ]
    words = np.full(flux.shape, "", dtype=object)
    for word, found in findings:
        found = np.broadcast_to(found, flux.shape)
        words[found] = np.array([f"{each}, {word}" if each else word for each in words[found]], dtype=object)
    return words.astype(str)


def budget_table(budget, cutout, seds, outskirts=None):
    """Table of the `flux_budget` of a run, with a row for each band."""
    present = np.isin(cutout.bands, seds.bands)
    segment = np.nansum(cutout.sci[present][:, in_segments(cutout)].astype(float), axis=1)
    share = np.divide(budget["selected"], segment, out=np.full(len(segment), np.nan), where=segment != 0)
    table = Table({"band": list(seds.bands), "wave_obs": seds.wavelengths, **budget})
    if outskirts is not None:
        table["bins"] = outskirts.flux.sum(axis=0)
    table["segment"], table["selected_share"] = segment, share
    table.meta |= {"content": "flux budget of the selected pixels", "code": code_digest("results")}
    return with_descriptions(table, BUDGET_COLUMNS)
