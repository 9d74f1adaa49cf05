"""A handmade galaxy, as its page shows it."""

import base64
import gzip
import re

import numpy as np

from helper_functions.explorer.fits import FitView, Posterior
from helper_functions.explorer.galaxy import GalaxyView, tangent_plane
from helper_functions.explorer.runs import Layer, RunView

BANDS = ("f606w", "f115w", "f200w", "f277w", "f444w")
WAVELENGTHS = np.array([5919.0, 11541.0, 19876.0, 27762.0, 44017.0])
SHAPES = np.array([[0.1, 0.4, 1.0, 1.2, 1.5], [1.3, 1.1, 1.0, 0.8, 0.6], [0.5, 1.5, 0.6, 1.4, 0.9]])
NOISE = 0.02  # 10 nJy per pixel
EVIL = "<script>window.injected = 1</script>'\"&"  # what a name from a file may be


def models_in(path):
    """The models of a page as JSON text, unpacked."""
    packed = re.search('id="packed">([^<]*)<', path.read_text())[1]
    return gzip.decompress(base64.b64decode(packed)).split(b"\n")[1].decode()


def fitted(cluster):
    """`FitView` of a straight line through three bands, and the same posterior of all quantities."""
    model = np.array([0.9, 1.0, 1.1])[:, None] * np.array([1.0, 2.0, 4.0])
    sed = np.array([[1.1, np.nan, -0.1], [0.1, np.nan, 0.2], *model])
    history = np.array([np.linspace(0, 1, 5), [1.0, 1, 1, 0, 0], [2.0, 2, 2, 0, 0], [3.0, 3, 3, 0, 0]])
    spectrum = np.array([np.geomspace(5e3, 5e4, 9), np.geomspace(1, 4, 9)])
    titles = "A_V [mag]", "age [Gyr]", "log stellar mass [M⊙]"
    posteriors = tuple(
        Posterior(title, (0.4, 0.5, 0.7), np.linspace(0, 1, 5), np.array([1, 4, 3, 0])) for title in titles
    )
    bands, wavelengths = ("f606w", "f200w", "f444w"), np.array([5919.0, 19876.0, 44017.0])
    return FitView(cluster, "", True, 2.5, bands, wavelengths, sed, spectrum, history, posteriors)


def galaxy_view(wcs, shape=(30, 40), radius=9, redshift=2.0, bands=BANDS, n_runs=2, name="", rng=None):
    """`GalaxyView` of a disc of three populations in noisy bands; `name` is added to all names."""
    rng = np.random.default_rng(3) if rng is None else rng
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(y - shape[0] / 2 + 2, x - shape[1] / 2 - 3)
    rows, cols = np.nonzero(distance < radius)
    light = np.exp(-distance / max(radius, 1)) * (1 + 0.1 * x)
    kind = (x > shape[1] / 2 + 3).astype(int) + (y > shape[0] / 2)
    n_bands, n_pixels = len(bands), len(rows)
    templates = SHAPES[:, np.arange(n_bands) % 5]
    images = light * templates[kind].transpose(2, 0, 1) + rng.normal(0, NOISE, (n_bands, *shape))
    images = images.astype(np.float32)
    images[0, rows[::7], cols[::7]] = np.nan
    error = np.full((n_pixels, n_bands), NOISE, dtype=np.float32) * rng.uniform(0.8, 1.2, (n_pixels, 1)).astype("f4")
    flux = images[:, rows, cols].T
    error[np.isnan(flux)] = np.nan
    labels = kind[rows, cols] + 1
    numbers = np.arange(1, 4)
    fraction = np.where(labels == numbers[:, None], 0.7, 0.15)
    runs = [
        RunView(
            name="blended_mixture" + name,
            title=f"blended_mixture{name} (3 clusters)",
            labels=labels,
            regions=numbers,
            composites=np.array([templates, 0.05 * templates]),
            populations=np.array([1.1 * templates, 0.1 * templates]),
            confidence=np.linspace(0.3, 1, n_pixels),
            fraction=fraction,
            layers=(Layer("light of population 1" + name, 0.7 * flux[:, -1], None, "10 nJy" + name),),
            criteria={"tic": np.array([[-900.0, -50, 0, -4, np.nan], [9, 5, 0, 2, np.nan]])},
            number=("tic", 3, 4),
            quality={"similarity" + name: "0.90", "confidence" + name: "–"},
            features={"cluster": ["1", "2"], "kind": ["population" + name] * 2, "beta": ["-2 ± 1", "–"]},
            models=(fitted(1), FitView(2, "too few bands" + name, False), fitted(0)),
            fits={"cluster": ["1"], "mass [solMass]": ["1e+08 +1e+07 −2e+07"], "note": ["a note" + name]},
        )
    ]
    for number in range(1, n_runs):
        other = np.where(cols % (number + 1) == 0, -1, 1 + (rows > shape[0] / 2))
        runs.append(
            runs[0]._replace(
                name=f"kmeans{number}{name}",
                title=f"kmeans{number}{name} (2 clusters)",
                labels=other,
                regions=np.array([2, 4]),
                composites=runs[0].composites[:, :2],
                populations=None,
                confidence=None,
                fraction=None,
                layers=(),
                criteria={},
                number=("given", 0, 0),
                features={},
                fits={},
                models=(),
            )
        )
    lag = np.arange(5)
    sky, pixel = tangent_plane(wcs, shape)
    return GalaxyView(
        id_dr3=7,
        redshift=redshift,
        shape=shape,
        rows=rows,
        cols=cols,
        pixel=pixel,
        sky=sky,
        bands=tuple(bands),
        wavelengths=np.geomspace(5919, 44017, n_bands) if n_bands != 5 else WAVELENGTHS,
        images=images,
        flux=flux,
        error=error,
        correlation=np.exp(-(lag**2) / (2 * np.linspace(0.5, 1.5, n_bands)[:, None] ** 2)),
        background_error=np.full(n_bands, 0.001),
        layers=(Layer("equivalent width" + name, flux[:, 1], np.full(n_pixels, 0.1, dtype="f4"), "Angstrom"),),
        runs=tuple(runs),
        agreement=np.eye(n_runs) if n_runs > 1 else None,
        consensus=labels if n_runs > 1 else None,
        notes=("a note" + name,),
        failed_runs={"spectral" + name: "failed: no memory" + name},
        commands=("python main_clustering.py --ids 7", "python main_clustering.py --ids 7 --regions 7_region.reg"),
    )
