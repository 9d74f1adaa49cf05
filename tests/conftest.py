"""A small survey field with planted galaxies, and planted pixel SEDs: what the tests know the truth of."""

import gc
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

# Threads of linear algebra on small arrays wait for each other, and for other processes: on two cores, tests take five
# times as long with them. They are counted when numpy is loaded.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_pool] = "1"

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as spline_shift

import data_paths
from distances import Options
from helper_functions.filters import pivot_wavelength
from helper_functions.pixel_distances import PixelDistances
from helper_functions.pixel_seds import PixelSEDs

BANDS = ("f606w", "f814w", "f115w", "f200w", "f277w", "f444w")
# Two shapes 42 degrees apart as vectors: far beyond the noise of the pixels below.
RED = np.array([0.1, 0.3, 0.8, 1.0, 1.2, 1.4])
BLUE = np.array([1.2, 1.1, 1.0, 0.8, 0.6, 0.5])
SHAPE = (90, 120)
NOISE = 0.02  # 10 nJy per pixel


def pytest_collection_finish():
    """Leave the many objects of libraries out of later searches for garbage, which take some percent of the time."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def only_what_is_asked_for():
    """Pages are made, and registration is measured, where a test asks for them: they take almost a second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("main_clustering.EXPLORER", False)
        patch.setattr("main_clustering.REGISTRATION", "none")
        yield


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    """No test sees or touches the folders of this machine."""
    monkeypatch.delenv("UNCOVER_CATALOGS_FOLDER", raising=False)
    monkeypatch.delenv("STAR_PSFS", raising=False)
    monkeypatch.setenv("UNCOVER_CLUSTERING_FOLDER", str(tmp_path / "made"))
    monkeypatch.setenv("UNCOVER_CACHE_FOLDER", str(tmp_path / "cache"))


@pytest.fixture
def no_photons(monkeypatch):
    """The survey's weights hold the photon noise of sources, which is none here: nothing is to be said of it."""
    plain = data_paths.SURVEYS["uncover"]
    monkeypatch.setitem(data_paths.SURVEYS, "uncover", plain._replace(electrons=0))


def celestial_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [3.58, -30.4]
    wcs.wcs.crpix = [SHAPE[1] / 2, SHAPE[0] / 2]
    wcs.wcs.cdelt = [-0.04 / 3600, 0.04 / 3600]
    return wcs


def image_path(folder, band, kind="sci"):
    return folder / "psf_matched" / f"uncover_v7.1_abell2744clu_{band}_bcgs_{kind}_f444w-matched.fits"


def edit(path, change):
    """Rewrite the image at `path` as change(pixels) says."""
    with fits.open(path) as hdus:
        data, header = hdus[0].data.copy(), hdus[0].header
    fits.PrimaryHDU(change(data), header).writeto(path, overwrite=True)


def plant():
    """Segmap, shape of each pixel (0 none, 1 red, 2 blue) and brightness, as images."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    segmap, kind = np.zeros(SHAPE, dtype=np.int32), np.zeros(SHAPE, dtype=int)
    brightness = np.zeros(SHAPE)

    def put(id_dr3, where, shape, light):
        segmap[where], kind[where], brightness[where] = id_dr3, shape, light[where]

    # Brightness falls with radius inside both halves of galaxy 7, so it does not tell them apart.
    disc = np.hypot(y - 40, x - 40) <= 12
    light = 2.0 * np.exp(-np.hypot(y - 40, x - 40) / 8)
    put(7, disc & (x < 40), 1, light)
    put(7, disc & (x >= 40), 2, light)
    flat = np.ones(SHAPE)
    put(8, np.hypot(y - 40, x - 58) <= 4, 2, flat)  # neighbour of 7, same redshift
    put(9, np.hypot(y - 58, x - 40) <= 4, 1, flat)  # neighbour of 7, other redshift
    put(10, np.hypot(y - 20, x - 95) <= 5, 1, 0.01 * flat)  # too faint
    put(11, np.hypot(y - 70, x - 119) <= 8, 2, flat)  # at the edge of the mosaic
    put(12, (abs(y - 80) < 1) & (abs(x - 80) < 2), 1, flat)  # three pixels
    return segmap, kind, brightness


@pytest.fixture(scope="session")
def written_survey(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("written") / "survey")


@pytest.fixture
def survey_folder(written_survey, tmp_path):
    """A copy for each test, which may change it; to write it anew takes thirty times as long."""
    return Path(shutil.copytree(written_survey, tmp_path / "survey"))


def write_survey(folder):
    """A survey folder in the release's layout, with galaxies 7 to 12 (see `plant`); 13 is in the catalog only."""
    (folder / "psf_matched").mkdir(parents=True)
    segmap, kind, brightness = plant()
    rng = np.random.default_rng(5)
    header = celestial_wcs().to_header()
    fits.PrimaryHDU(segmap, header).writeto(folder / "UNCOVER_v5.2.0_SEGMAP.fits")
    shapes = np.array([0 * RED, RED, BLUE])
    for number, band in enumerate(BANDS):
        flux = brightness * shapes[kind, number] + rng.normal(0, NOISE, SHAPE)
        image = fits.PrimaryHDU(flux.astype(np.float32), header)
        image.header["BUNIT"] = "10 nJy"
        image.writeto(image_path(folder, band))
        weight = np.full(SHAPE, NOISE**-2, dtype=np.float32)
        fits.PrimaryHDU(weight, header).writeto(image_path(folder, band, "wht"))
    ids = [7, 8, 9, 10, 11, 12, 13]
    catalog = Table({"id": ids, "ra": [3.58] * 7, "dec": [-30.4] * 7, "f_alma": [0.0] * 7})
    for band in BANDS:
        catalog[f"f_{band}"], catalog[f"e_{band}"] = 1.0, 0.1
    catalog.write(folder / "UNCOVER_v5.2.0_LW_SUPER_CATALOG.fits")
    z = np.array([2.0, 2.05, 3.0, 1.0, 1.5, 1.2, 1.0])
    sps = Table({"id": ids, "z_16": z - 0.1, "z_50": z, "z_84": z + 0.1})
    sps.write(folder / "UNCOVER_v5.3.0_LW_SUPER_SPScatalog_spsv1.0.fits")
    return folder


def blur_and_move(folder, moves):
    """Smooth the planted galaxies, which end sharply, like by a PSF, and move bands by {band: (rows, cols)} pixels."""
    for band in BANDS:
        where = moves.get(band, (0, 0))

        def change(flux, move=where):
            smooth = gaussian_filter(flux.astype(float), 1.5)
            return spline_shift(smooth, move, order=5, mode="nearest").astype(np.float32)

        edit(image_path(folder, band), change)


def pixel_seds(flux, error, wavelengths=None, **others):
    """`PixelSEDs` of these arrays, pixels side by side in rows of ten unless it is said where they are.

    Their errors are right, and so are not looked at unless a test asks for that by noise_scale=None.
    """
    n_pixels, n_bands = np.shape(flux)
    rows, cols = np.divmod(np.arange(n_pixels), 10)
    wavelengths = np.linspace(5e3, 4.5e4, n_bands) if wavelengths is None else np.asarray(wavelengths)
    bands = tuple(f"band{number}" for number in range(n_bands))
    known = {"bands": bands, "wavelengths": wavelengths, "rows": rows, "cols": cols, "noise_scale": np.ones(n_bands)}
    return PixelSEDs(flux=np.asarray(flux), error=np.asarray(error), **(known | others))


WAVELENGTHS = np.array([20000.0, 6000.0, 44000.0, 11500.0])  # not in order, on purpose
# Bands of 2000 Angstrom around these; at redshift 1 the first covers Halpha (13,070 to 13,200) and no other feature.
EDGES = np.column_stack([WAVELENGTHS - 1000, WAVELENGTHS + 1000])
EDGES[0] = [12000, 14000]
REDSHIFT = 1.0
ONE = Options(features=("halpha", "balmer_break"), polynomial_degree=2)


class WithEdges(PixelSEDs):
    """SEDs in bands that no telescope has."""

    edges = EDGES


def distances_of(flux, metric, *, wavelengths=WAVELENGTHS, edges=EDGES, errors=None, **limits):
    errors = np.full(np.shape(flux), 0.1) if errors is None else errors
    kind = type("WithTheseEdges", (WithEdges,), {"edges": edges})
    return PixelDistances(kind(*pixel_seds(flux, errors, wavelengths, redshift=REDSHIFT)), metric, ONE, **limits)


@pytest.fixture
def random_seds():
    """Random SEDs, larger in number than one block, some negative fluxes."""
    return np.random.default_rng(0).normal(0.5, 1, (600, 4))


@pytest.fixture
def two_shapes():
    """60 red and 40 blue pixel SEDs of mixed brightness with noise, and which is which (1 red, 2 blue)."""
    rng = np.random.default_rng(1)
    truth = rng.permutation(np.repeat([1, 2], [60, 40]))
    amplitude = rng.uniform(0.5, 3.0, 100)
    error = np.full((100, len(BANDS)), NOISE)
    flux = amplitude[:, None] * np.array([RED, BLUE])[truth - 1] + rng.normal(0, error)
    wavelengths = np.array([pivot_wavelength(band) for band in BANDS])
    rows, cols = np.divmod(np.arange(100), 10)
    return SimpleNamespace(seds=PixelSEDs(flux, error, BANDS, wavelengths, rows, cols, redshift=1.0), truth=truth)


@pytest.fixture(scope="session")
def cloud():
    """2,500 pixels of three shapes, 20 degrees apart with a scatter of 4: enough to search neighbours and not all."""
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 3, 2500)
    shapes = np.eye(6)[:3] * 0.35 + 1 / np.sqrt(6)
    flux = shapes[truth] + rng.normal(0, 0.03, (2500, 6))
    rows, cols = np.divmod(np.arange(2500), 50)
    seds = pixel_seds(flux, np.full(flux.shape, 0.03), np.arange(1.0, 7) * 1e4, rows=rows, cols=cols)
    return SimpleNamespace(seds=seds, truth=truth)
