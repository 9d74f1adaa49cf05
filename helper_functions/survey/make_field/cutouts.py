"""Cutouts of one galaxy as provided by archives: one file with several extensions, or one file for each band."""

import re
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.stats import mad_std

from helper_functions.survey.make_field.inputs import BandFiles, band_in, checked
from helper_functions.survey.mosaics import open_fits

KINDS = {  # kind -> words in names of extensions and files that indicate it
    "wht": ("wht", "weight", "ivar"),
    "err": ("err", "error", "rms", "unc"),
    "var": ("var", "variance"),
    "sci": ("sci", "drz", "drc", "i2d", "image", "flux"),
}
FILTER_KEYWORDS = "FILTER", "BAND", "FILTNAM1"


def kind_in(name):
    """Kind, a key of KINDS, indicated by the name of an extension or a file, or None."""
    words = [word.lower() for word in re.findall("[A-Za-z0-9]+", name)]
    return next((kind for kind, names in KINDS.items() if any(word in names for word in words)), None)


def split_cutouts(folder, scratch, error_map, weights_from_sky=False):
    """Write the images in all files of a folder as one file for each band and kind.

    Band and kind of an image are read from the name of its extension, its header (FILTER), or the name of its file.

    Parameters
    ----------
    folder : path
    scratch : Path
        Where the files are written.
    error_map : str
        Kind of the weights, a key of ERROR_MAPS.
    weights_from_sky : bool
        Whether images without weights get a constant weight from the scatter of their sky.

    Returns
    -------
    list of BandFiles

    Raises
    ------
    FileNotFoundError
        Where there is no image of a band.
    ValueError
        Where a band has two images, or no weights.
    """
    found = {}
    paths = [path for ending in ("", ".gz", ".fz") for path in sorted(Path(folder).glob(f"*.fits{ending}"))]
    for path in paths:
        with open_fits(path) as hdus:
            for hdu in hdus:
                if not (hdu.is_image and len(hdu.shape) == 2):
                    continue
                said = next((str(hdu.header[word]) for word in FILTER_KEYWORDS if word in hdu.header), "")
                band = band_in(hdu.name) or band_in(said) or band_in(path.name)
                kind = kind_in(hdu.name) or kind_in(path.name) or "sci"
                if band and kind in ("sci", error_map):
                    if other := found.get((band, kind)):
                        raise ValueError(
                            f"{folder} has two {kind} images of {band}, in {other[0].name} and {path.name}"
                        )
                    header = hdus[0].header.copy()
                    header.update(hdu.header)
                    found[band, kind] = path, np.array(hdu.data), image_header(header)
    bands = sorted({band for band, _ in found})
    if not bands:
        raise FileNotFoundError(
            f"no image with the name of a band in {folder}: want FITS files such as x_f444w_sci.fits"
        )
    if absent := [band for band in bands if (band, "sci") not in found]:
        raise ValueError(f"{folder} has weights but no image of {', '.join(absent)}")
    files = []
    for band in bands:
        if (band, error_map) not in found:
            if not weights_from_sky:
                raise ValueError(
                    f"{folder} has no {error_map} image of {band}: add it, name another kind with --error-map, or take "
                    "one weight for all pixels from the scatter of the sky with --weights-from-sky"
                )
            path, flux, header = found[band, "sci"]
            found[band, error_map] = path, sky_weight(flux, error_map), header
        made = {}
        for kind in ("sci", error_map):
            _, pixels, header = found[band, kind]
            made[kind] = scratch / f"{band}_{kind}.fits"
            made[kind].parent.mkdir(parents=True, exist_ok=True)
            fits.PrimaryHDU(pixels, header).writeto(made[kind], overwrite=True)
        files.append(BandFiles(band, made["sci"], made[error_map], None))
    return checked(files, folder)


def image_header(header):
    """A header without the keywords on the kind of HDU and the storage of pixels."""
    kept = header.copy(strip=True)
    for word in ("EXTNAME", "EXTVER", "EXTEND", "BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"):
        kept.remove(word, ignore_missing=True, remove_all=True)
    return kept


def sky_weight(flux, error_map):
    """Constant weight, error or variance of all pixels with data, from the scatter of the sky."""
    data = np.isfinite(flux) & (flux != 0)
    error = mad_std(flux[data])
    value = {"wht": error**-2, "err": error, "var": error**2}[error_map]
    return np.where(data, value, 0 if error_map == "wht" else np.nan).astype(np.float32)
