"""Import and configuration of bagpipes (Carnall et al. 2018) without its side effects."""

import contextlib
import io
from functools import cache
from textwrap import shorten

import matplotlib

LOWEST_REDSHIFT, HIGHEST_REDSHIFT = 0.01, 10.0  # range of bagpipes
RESOLUTION = 300  # spectral resolution: sharper than filter edges; at a lower one lines at these edges are wrong
REASON_LENGTH = 600  # characters of a failed import in a message


@cache
def cosmology():
    """The cosmology of bagpipes."""
    from astropy.cosmology import FlatLambdaCDM  # imported here, as it takes a tenth of the start-up time

    return FlatLambdaCDM(H0=70, Om0=0.3)


def import_bagpipes():
    """Import bagpipes without its messages and its changes to the matplotlib settings.

    Raises
    ------
    ValueError
        Where it is not installed, or its import fails.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), matplotlib.rc_context():
            import bagpipes
    except ModuleNotFoundError as problem:
        raise ValueError(f"stellar populations need bagpipes: pip install bagpipes ({problem})") from problem
    except Exception as problem:  # of any kind, where versions of its dependencies do not match
        reason = shorten(f"{type(problem).__name__}: {problem}", REASON_LENGTH, placeholder=" ...")
        raise ValueError(f"bagpipes is installed, but cannot be imported ({reason}): install it anew") from problem
    return bagpipes


@contextlib.contextmanager
def wavelength_sampling(bagpipes, **settings):
    """Context with these settings of `bagpipes.config`, to set up a model with its own wavelength grid."""
    before = {name: getattr(bagpipes.config, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(bagpipes.config, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(bagpipes.config, name, value)
