"""Drawing and saving pictures: those of each run, and those of the galaxy with all its runs.

A picture is a function `picture(result)` in a file of `plots`, listed there in RUN_PICTURES, GALAXY_PICTURES or
FIT_PICTURES. It takes a `RunResult`, a `GalaxyResult` or a `FittedRun`, and returns a matplotlib `Figure`, or None
where there is nothing to draw.
"""

import data_paths
from helper_functions.files.saving import save_figure
from helper_functions.job.settings import FIGURE_FORMATS
from helper_functions.registry import gather

RUN_PICTURES = gather("plots", "RUN_PICTURES")
GALAXY_PICTURES = gather("plots", "GALAXY_PICTURES")
FIT_PICTURES = gather("plots", "FIT_PICTURES")


def save_run_pictures(result, settings):
    """Draw and save the pictures of a run, in its folder; return {name: path} of those that there are."""
    return _save_all(RUN_PICTURES, result, settings, result.cutout.id_dr3, lambda name: result.run.name)


def save_galaxy_pictures(result, settings):
    """Draw and save the pictures of a galaxy, each in the folder named like it; return {name: path}."""
    return _save_all(GALAXY_PICTURES, result, settings, result.cutout.id_dr3, lambda name: name)


def save_fit_pictures(result, settings):
    """Draw and save all pictures of what was fitted to a run, in the folder of the run; return {name: path}."""
    return _save_all(FIT_PICTURES, result, settings, result.id_dr3, lambda name: result.run)


def possible_pictures(output, folder, id_dr3, pictures):
    """Every file that pictures of these names may be in, whatever the format."""
    return [
        data_paths.image_path(output, folder, id_dr3, picture, figure_format)
        for picture in pictures
        for figure_format in FIGURE_FORMATS
    ]


def _save_all(pictures, result, settings, id_dr3, folder_of):
    saved = {}
    for name, picture in pictures.items():
        wanted = settings.pictures == "all" or (settings.pictures == "few" and picture.among_few)
        figure = picture.draw(result) if wanted else None
        if figure is not None:
            saved[name] = data_paths.image_path(settings.output, folder_of(name), id_dr3, name, settings.figure_format)
            save_figure(saved[name], figure, settings.dpi)
    return saved
