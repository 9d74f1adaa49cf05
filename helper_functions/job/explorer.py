"""Pages that open in a browser: python -m helper_functions.job.explorer OUTPUT [ID ...] makes them again."""

import data_paths
from helper_functions.job.explorer_data import read_galaxy
from helper_functions.job.save_results import save_text


def make_page(output, id_dr3):
    """Make the page of a galaxy from its files in the output folder; return its path."""
    from plots.explorer.page import explorer_page  # Bokeh takes half a second, which only who makes a page pays

    path = data_paths.explorer_path(output, id_dr3)
    save_text(path, explorer_page(read_galaxy(output, id_dr3)))
    return path
