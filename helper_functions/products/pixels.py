"""FITS file of the cutout of a galaxy as it is clustered, with its noise and registration."""

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from helper_functions.files.saving import image_hdu, table_hdu, with_descriptions
from helper_functions.pixel_seds import Cutout
from helper_functions.psf import PSF_FWHM
from helper_functions.registration.shifts import Registration
from helper_functions.sky_noise import SkyNoise
from helper_functions.survey.flux_units import FLUX_UNIT

NOISE_COLUMNS = {  # unit, description
    "band": (None, "name of the filter"),
    "n_sky": (None, "number of sky pixels; all other columns are NaN if there are too few"),
    "background": (FLUX_UNIT, "median of the sky around the galaxy"),
    "background_err": (FLUX_UNIT, "error of the background, from the four quadrants of that sky"),
    "scatter": (FLUX_UNIT, "robust standard deviation of the sky"),
    "scale": (None, "scatter of the sky divided by its stated errors"),
    "correlation": (None, "correlation of the noise of two pixels at distances of 0, 1, 2, ... pixels"),
    "striped": (None, "correlation of the noise along rows minus that along columns"),
    "beside": (FLUX_UNIT, "lowest error for pixels of a galaxy whose light is imprinted in the weights, else NaN"),
    "peak": (None, "flux of the brightest pixel of the galaxy divided by the noise of the sky"),
    "electrons": (None, "electrons per 10 nJy, for photon noise in errors; NaN: unknown; inf: weights include it"),
    "noise_area": ("pix", "correlation area of the noise: variance of a mean of n pixels = error^2 * noise_area / n"),
}

REGISTRATION_COLUMNS = {  # unit, description
    "band": (None, "name of the filter"),
    "shift_rows": ("pix", "shift of the image relative to the other bands along rows, before correction"),
    "shift_cols": ("pix", "shift of the image relative to the other bands along columns, before correction"),
    "error_rows": ("pix", "standard error of shift_rows"),
    "error_cols": ("pix", "standard error of shift_cols"),
    "corrected": (None, "whether SCI and ERR were corrected by the shift"),
}


def cutout_to_fits(cutout, mask, pixels):
    """Cutout and mask as an `HDUList`: SCI, ERR, MASK, SEGMAP, BANDS, NOISE, REGISTRATION, PSF.

    SCI and ERR are the values that are clustered, after correction of background, errors and shifts, which are in
    NOISE and REGISTRATION.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        The selected pixels.
    pixels : settings.Pixels
        For the header.
    """
    primary = fits.PrimaryHDU()
    primary.header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    redshifts = cutout.redshift_range[0], cutout.redshift, cutout.redshift_range[1]
    for percentile, redshift in zip((16, 50, 84), redshifts, strict=True):
        value = float(redshift) if np.isfinite(redshift) else None
        primary.header[f"Z{percentile}"] = (value, f"redshift, {percentile}th percentile")
    primary.header["SNRTHR"] = (pixels.snr_thresh, "median SNR that selected pixels exceed")
    primary.header["ERRORS"] = (pixels.errors, "errors in ERR: measured in the sky or stated")
    registered = "none" if cutout.registration is None else "measured"
    primary.header["REGISTR"] = (registered, "registration, see REGISTRATION, or none")
    primary.header["BACKGND"] = (pixels.background, "background subtracted from SCI: local or none")
    primary.header["PSFFWHM"] = (cutout.psf_fwhm, "arcsec, of the PSF that images are matched to")
    primary.header["MEMBERS"] = (" ".join(map(str, cutout.members)), "ids selected from")
    primary.header["PHOTNOIS"] = cutout.photon_note
    primary.header["NOTES"] = "; ".join(cutout.notes)
    plane = cutout.wcs.to_header(relax=True)  # with distortions
    cube = plane.copy()
    cube.update({"WCSAXES": 3, "CTYPE3": "BAND", "CRPIX3": 1.0, "CRVAL3": 1.0, "CDELT3": 1.0})
    cube["BUNIT"] = "10 nJy"
    bands = Table({"band": cutout.bands, "wavelength": cutout.wavelengths}, units={"wavelength": "Angstrom"})
    bands["n_selected_with_data"] = np.isfinite(cutout.sci[:, mask]).sum(axis=1)
    hdus = [
        primary,
        image_hdu("SCI", cutout.sci, cube),
        image_hdu("ERR", cutout.err, cube),
        image_hdu("MASK", mask.astype(np.uint8), plane),
        image_hdu("SEGMAP", cutout.segmap, plane),
        fits.BinTableHDU(bands, name="BANDS"),
    ]
    if cutout.noise is not None:
        hdus.append(table_hdu("NOISE", noise_table(cutout)))
    if cutout.registration is not None:
        hdus.append(table_hdu("REGISTRATION", registration_table(cutout.registration, cutout.bands)))
    if cutout.psf is not None:
        header = fits.Header([("PIXELSCL", cutout.pixel, "arcsec, side of a pixel")])
        hdus.append(image_hdu("PSF", cutout.psf, header))
    return fits.HDUList(hdus)


def noise_table(cutout):
    """Noise of a cutout as a `Table` with a row for each band."""
    noise, n_bands = cutout.noise, len(cutout.bands)
    electrons = np.full(n_bands, np.nan) if cutout.electrons is None else cutout.electrons
    columns = {"band": list(cutout.bands), **noise._asdict(), "electrons": electrons, "noise_area": noise.area}
    return with_descriptions(Table(columns), NOISE_COLUMNS)


def registration_table(registration, bands):
    """Shifts between bands as a `Table` with a row for each band."""
    columns = [*registration.shift.T, *registration.error.T, registration.to_correct]
    names = [name for name in REGISTRATION_COLUMNS if name != "band"]
    table = Table({"band": list(bands)} | dict(zip(names, columns, strict=True)))
    return with_descriptions(table, REGISTRATION_COLUMNS)


def read_cutout(path):
    """Read the file of `cutout_to_fits`: the cutout and the mask of its selected pixels."""
    with fits.open(path, memmap=False) as hdus:
        header, bands = hdus[0].header, hdus["BANDS"].data
        z_low, redshift, z_high = (
            value if isinstance(value := header.get(name), float) else np.nan for name in ("Z16", "Z50", "Z84")
        )
        noise, shifts = (hdus[name].data if name in hdus else None for name in ("NOISE", "REGISTRATION"))
        cutout = Cutout(
            id_dr3=header["IDDR3"],
            redshift=redshift,
            redshift_range=(z_low, z_high),
            bands=tuple(bands["band"].tolist()),
            wavelengths=np.array(bands["wavelength"], dtype=float),
            sci=hdus["SCI"].data.astype(np.float32),
            err=hdus["ERR"].data.astype(np.float32),
            segmap=hdus["SEGMAP"].data.astype(int),
            members=tuple(int(member) for member in header["MEMBERS"].split()),
            wcs=WCS(hdus["SEGMAP"].header),
            psf_fwhm=header.get("PSFFWHM", PSF_FWHM),
            psf=native(hdus["PSF"].data) if "PSF" in hdus else None,
            noise=noise if noise is None else SkyNoise(*(native(noise[name]) for name in SkyNoise._fields)),
            registration=None if shifts is None else Registration(*_shift_and_error(shifts)),
            notes=tuple(note for note in header.get("NOTES", "").split("; ") if note),
            electrons=noise if noise is None else native(noise["electrons"]),
        )
        return cutout, hdus["MASK"].data.astype(bool)


def _shift_and_error(table):
    kinds = ("shift", "error")
    return (np.column_stack([native(table[f"{kind}_{axis}"]) for axis in ("rows", "cols")]) for kind in kinds)


def native(values):
    """Convert values read from a FITS file to the native byte order."""
    return values.astype(values.dtype.newbyteorder("="))
