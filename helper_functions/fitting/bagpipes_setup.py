"""bagpipes (Carnall et al. 2018) as the project uses it: imported quietly, and its settings left as they were."""

import contextlib
import io
from functools import cache

import matplotlib

LOWEST_REDSHIFT, HIGHEST_REDSHIFT = 0.01, 10.0  # what bagpipes is set up for
RESOLUTION = 300  # of bagpipes spectra: finer than the edges of any filter, coarser costs lines at these edges


@cache
def cosmology():
    """The cosmology that bagpipes has."""
    from astropy.cosmology import FlatLambdaCDM  # a tenth of the time that the start of a call takes

    return FlatLambdaCDM(H0=70, Om0=0.3)


def import_bagpipes():
    """The module bagpipes, which talks while it is imported, and changes how every figure of the session looks.

    Raises
    ------
    ValueError
        Where it is not installed.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), matplotlib.rc_context():
            import bagpipes
    except ImportError as problem:
        raise ValueError(f"stellar populations need bagpipes: pip install bagpipes ({problem})") from problem
    return bagpipes


@contextlib.contextmanager
def wavelength_sampling(bagpipes, **settings):
    """Settings of `bagpipes.config` while a model is set up, which keeps the wavelengths that it then gets."""
    before = {name: getattr(bagpipes.config, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(bagpipes.config, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(bagpipes.config, name, value)
