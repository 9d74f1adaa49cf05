"""The pixels of a galaxy on disk: its cutout as it is clustered, and what is known of its noise and registration."""

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

NOISE_COLUMNS = {  # of the noise table: unit, and what it holds
    "band": (None, ""),
    "n_sky": (None, "pixels of sky; all else is NaN where they are too few"),
    "background": (FLUX_UNIT, "median of the sky around the galaxy"),
    "background_err": (FLUX_UNIT, "its error, from the four quarters of that sky"),
    "scatter": (FLUX_UNIT, "robust standard deviation of the sky"),
    "scale": (None, "scatter of the sky over its stated errors"),
    "correlation": (None, "of the noise of two pixels 0, 1, 2, ... pixels apart"),
    "striped": (None, "correlation along rows less that along columns"),
    "beside": (FLUX_UNIT, "stated error of the sky beside the galaxy, the least on it: weights hold its imprint"),
    "peak": (None, "flux of the brightest pixel of the galaxy over the noise of the sky"),
    "electrons": (None, "per 10 nJy, whose photon noise is in measured errors; NaN: not known; inf: weights hold it"),
    "noise_area": ("pix", "over which noise is correlated: variance of a mean = error^2 times this / number"),
}

REGISTRATION_COLUMNS = {  # of the table of registration: unit, and what it holds
    "band": (None, ""),
    "shift_rows": ("pix", "by which the image lies off the others along rows, before it is corrected"),
    "shift_cols": ("pix", "the same along columns"),
    "error_rows": ("pix", "standard error of the shift along rows"),
    "error_cols": ("pix", "the same along columns"),
    "corrected": (None, "whether SCI and ERR were moved back by the shift"),
}


def cutout_to_fits(cutout, mask, pixels):
    """Cutout and mask as an `HDUList`: SCI, ERR, MASK, SEGMAP, BANDS, NOISE, REGISTRATION, PSF: to cluster again.

    SCI and ERR are what is clustered: NOISE has the background that was taken off the survey's fluxes, and by what the
    survey's errors were multiplied; REGISTRATION by how much bands lay off, and which of them were moved back.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        The selected pixels.
    pixels : settings.Pixels
        Of which the threshold, and which errors and background are used, go into the header.
    """
    primary = fits.PrimaryHDU()
    primary.header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    primary.header["Z50"] = (cutout.redshift if np.isfinite(cutout.redshift) else None, "redshift, median")
    primary.header["SNRTHR"] = (pixels.snr_thresh, "median SNR that selected pixels exceed")
    primary.header["ERRORS"] = (pixels.errors, "errors in ERR: measured in the sky or stated")
    registered = "none" if cutout.registration is None else "measured"
    primary.header["REGISTR"] = (registered, "registration, see REGISTRATION, or none")
    primary.header["BACKGND"] = (pixels.background, "background taken off SCI: local or none")
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
    """What is known of the noise of a cutout as a `Table`, a row for each band, with units and descriptions."""
    noise, n_bands = cutout.noise, len(cutout.bands)
    electrons = np.full(n_bands, np.nan) if cutout.electrons is None else cutout.electrons
    columns = {"band": list(cutout.bands), **noise._asdict(), "electrons": electrons, "noise_area": noise.area}
    return with_descriptions(Table(columns), NOISE_COLUMNS)


def registration_table(registration, bands):
    """By how much bands lie off as a `Table`, a row for each band, with units and descriptions."""
    columns = [*registration.shift.T, *registration.error.T, registration.to_correct]
    names = [name for name in REGISTRATION_COLUMNS if name != "band"]
    table = Table({"band": list(bands)} | dict(zip(names, columns, strict=True)))
    return with_descriptions(table, REGISTRATION_COLUMNS)


def read_cutout(path):
    """Read back what `cutout_to_fits` gave: the cutout and the mask of its selected pixels."""
    with fits.open(path, memmap=False) as hdus:
        header, bands = hdus[0].header, hdus["BANDS"].data
        redshift = header["Z50"]
        noise, shifts = (hdus[name].data if name in hdus else None for name in ("NOISE", "REGISTRATION"))
        cutout = Cutout(
            id_dr3=header["IDDR3"],
            redshift=redshift if isinstance(redshift, float) else np.nan,
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
    """A copy of values read from a FITS file, in the byte order of the machine."""
    return values.astype(values.dtype.newbyteorder("="))
