"""Make a PSF-matched field from any mosaics: python -m helper_functions.survey.make_field --help"""

from helper_functions.survey.make_field.command import main

__all__ = ["main"]
