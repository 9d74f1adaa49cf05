"""Make a PSF-matched field from any mosaics: match PSFs, resample to one grid, correct shifts, and detect sources.

The output folder has the layout of UNCOVER, and can be used directly: python main_clustering.py --catalogs FOLDER
"""

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from helper_functions.files.log import set_up_streams
from helper_functions.survey.images import ERROR_MAPS
from helper_functions.survey.make_field import kernels
from helper_functions.survey.make_field.field import make_field

PACKAGES = {
    "photutils": "photutils",
    "reproject": "reproject",
    "skimage": "scikit-image",
}  # packages that only this command needs
INSTALL = "pip install -r helper_functions/survey/make_field/requirements.txt"


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m helper_functions.survey.make_field",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "mosaics",
        metavar="MOSAICS",
        help="folder of mosaics or, with --cutout, of cutouts; or a table of files: band sci wht psf",
    )
    add("--output", metavar="FOLDER", required=True, help="folder of the field")
    add(
        "--images",
        metavar="PATTERN",
        default="*{kind}*.fits",
        help="pattern of the file names in the folder (default %(default)s)",
    )
    add("--bands", nargs="+", metavar="BAND", help="bands to use (default: all)")
    add(
        "--psfs",
        metavar="WHERE",
        help="folder of PSFs, or pattern with {band}, or stars to measure them (default: table, or stars)",
    )
    add("--target", metavar="BAND", type=str.lower, help="band to whose PSF all are matched (default: the widest)")
    add("--grid", metavar="BAND|FILE", help="band or FITS file with the pixel grid of the field (default: the target)")
    add(
        "--kernel-radius",
        type=float,
        default=kernels.REACH,
        metavar="ARCSEC",
        help="radius of the kernels (default %(default)s)",
    )
    add(
        "--accept-residual",
        type=float,
        default=kernels.MOST_RESIDUAL,
        metavar="PERCENT",
        help="largest difference of matched PSFs, percent of the peak (default %(default)s)",
    )
    add(
        "--error-map",
        choices=list(ERROR_MAPS),
        default="wht",
        help="kind of weights: inverse variance (wht, default), standard deviation (err) or variance (var)",
    )
    add("--sci-extension", default="SCI", metavar="NAME", help="FITS extension of images (default SCI)")
    add("--error-extension", metavar="NAME", help="FITS extension of weights (default: WHT, ERR or VAR)")
    add("--unit", default="", help="unit of images without BUNIT, such as nJy")
    add(
        "--registration",
        choices=("measured", "none"),
        default="measured",
        help="measure and correct shifts between bands (default), or none",
    )
    add("--segmap", metavar="FILE", help="segmentation map, whose grid is then used (default: sources are detected)")
    add("--detection", nargs="+", metavar="BAND", help="bands in which sources are detected (default: the target)")
    add(
        "--threshold",
        type=float,
        default=3.0,
        help="detection threshold in units of the pixel noise (default %(default)s)",
    )
    add("--n-pixels", type=int, default=20, help="smallest number of pixels of a source (default %(default)s)")
    add(
        "--contrast",
        type=float,
        default=0.02,
        help="smallest fraction of a source's light that is deblended; 1: no deblending (default %(default)s)",
    )
    add(
        "--redshifts",
        metavar="FILE",
        help="table with a redshift, and ra and dec to match by position, or ids of --segmap",
    )
    add("--redshift", type=float, metavar="Z", help="one redshift for all sources, as for a cutout")
    add("--cutout", action="store_true", help="MOSAICS are cutouts of one galaxy, which gets id 1")
    add(
        "--weights-from-sky", action="store_true", help="measure missing weights of cutouts from the scatter of the sky"
    )
    add("--jobs", type=int, default=1, metavar="N", help="number of bands processed in parallel (default 1)")
    return parser


def main(arguments=None):
    """Command line: make a field; return the exit status."""
    given = make_parser().parse_args(arguments)
    set_up_streams()
    if missing := [name for module, name in PACKAGES.items() if find_spec(module) is None]:
        print(f"error: this command needs {', '.join(missing)}: {INSTALL}", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as scratch:
            make_field(given, Path(scratch))
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
