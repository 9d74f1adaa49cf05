"""From mosaics of any kind to a field that can be clustered: python -m helper_functions.survey.make_field --help"""

from helper_functions.survey.make_field.command import main

__all__ = ["main"]
