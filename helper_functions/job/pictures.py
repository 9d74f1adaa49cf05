"""Drawing and saving pictures: those of each run, and those of the galaxy with all its runs.

A picture is a function `picture(result)` in a file of `plots`, listed there in RUN_PICTURES or GALAXY_PICTURES. It
takes a `RunResult` or a `GalaxyResult`, and returns a matplotlib `Figure`, or None where there is nothing to draw.
"""

import data_paths
from helper_functions.choose import gather
from helper_functions.job.save_results import save_figure

RUN_PICTURES = gather("plots", "RUN_PICTURES")
GALAXY_PICTURES = gather("plots", "GALAXY_PICTURES")


def save_run_pictures(result, settings):
    """Draw and save all pictures of a run; return the names of those that there are."""
    return [name for name in RUN_PICTURES if _save(RUN_PICTURES[name], result, settings, result.run.name, name)]


def save_galaxy_pictures(result, settings):
    """Draw and save all pictures of a galaxy, each in the folder named like it."""
    for name in GALAXY_PICTURES:
        _save(GALAXY_PICTURES[name], result, settings, name, name)


def _save(picture, result, settings, folder, name):
    figure = picture.draw(result)
    if figure is None:
        return False
    path = data_paths.image_path(settings.output, folder, result.cutout.id_dr3, name, settings.figure_format)
    save_figure(path, figure, settings.dpi)
    return True
