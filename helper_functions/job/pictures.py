"""Drawing and saving pictures: those of each run, and those of the galaxy with all its runs.

A picture is a function `picture(result)` in a file of `plots`, listed there in RUN_PICTURES, GALAXY_PICTURES or
FIT_PICTURES. It takes a `RunResult`, a `GalaxyResult` or a `FittedRun`, and returns a matplotlib `Figure`, or None
where there is nothing to draw.
"""

import data_paths
from helper_functions.choose import gather
from helper_functions.job.save_results import save_figure

RUN_PICTURES = gather("plots", "RUN_PICTURES")
GALAXY_PICTURES = gather("plots", "GALAXY_PICTURES")
FIT_PICTURES = gather("plots", "FIT_PICTURES")


def save_run_pictures(result, settings):
    """Draw and save all pictures of a run, in its folder; return {name: path} of those that there are."""
    return _save_all(RUN_PICTURES, result, settings, result.cutout.id_dr3, lambda name: result.run.name)


def save_galaxy_pictures(result, settings):
    """Draw and save all pictures of a galaxy, each in the folder named like it; return {name: path}."""
    return _save_all(GALAXY_PICTURES, result, settings, result.cutout.id_dr3, lambda name: name)


def save_fit_pictures(result, settings):
    """Draw and save all pictures of what was fitted to a run, in the folder of the run; return {name: path}."""
    return _save_all(FIT_PICTURES, result, settings, result.id_dr3, lambda name: result.run)


def _save_all(pictures, result, settings, id_dr3, folder_of):
    saved = {}
    for name, picture in pictures.items():
        figure = picture.draw(result)
        if figure is not None:
            saved[name] = data_paths.image_path(settings.output, folder_of(name), id_dr3, name, settings.figure_format)
            save_figure(saved[name], figure, settings.dpi)
    return saved
