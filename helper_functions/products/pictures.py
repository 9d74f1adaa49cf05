"""Drawing and saving pictures: those of each run, and those of the galaxy with all its runs.

A picture is a function `picture(result)` in a file of `plots`, listed there in RUN_PICTURES, GALAXY_PICTURES or
FIT_PICTURES. It takes a `RunResult`, a `GalaxyResult` or a `FittedRun`, and returns a matplotlib `Figure`, or None
where there is nothing to draw.
"""

from data_paths import output_path
from helper_functions.files.code import code_digest
from helper_functions.files.saving import save_figure
from helper_functions.registry import gather

RUN_PICTURES = gather("plots", "RUN_PICTURES")
GALAXY_PICTURES = gather("plots", "GALAXY_PICTURES")
FIT_PICTURES = gather("plots", "FIT_PICTURES")
FIGURE_FORMATS = ("png", "pdf")
PICTURE_LEVELS = ("none", "few", "all")  # of pictures, each with those before it


def save_run_pictures(result, output):
    """Draw and save the pictures of a run, in its folder; return {name: path} of those that there are.

    Parameters
    ----------
    result : RunResult
    output : settings.Output
        Of which the folder, how many pictures, their format and resolution are used, here and below.
    """
    return _save_all(RUN_PICTURES, result, output, "run_picture", id=result.cutout.id_dr3, run=result.run.name)


def save_galaxy_pictures(result, output):
    """Draw and save the pictures of a galaxy, each in the folder named like it; return {name: path}."""
    return _save_all(GALAXY_PICTURES, result, output, "galaxy_picture", id=result.cutout.id_dr3)


def save_fit_pictures(result, output):
    """Draw and save all pictures of what was fitted to a run, in the folder of the run; return {name: path}."""
    return _save_all(FIT_PICTURES, result, output, "run_picture", id=result.id_dr3, run=result.run)


def pictures_record(output):
    """What is recorded of pictures that were drawn: how many, in which format, and by which code."""
    return {"amount": output.pictures, "format": output.figure_format, "code": code_digest("pictures")}


def are_drawn(record, output):
    """Whether a `pictures_record` is of all pictures that are asked for, drawn by today's code."""
    wanted = pictures_record(output)
    if not record or PICTURE_LEVELS.index(record["amount"]) < PICTURE_LEVELS.index(wanted["amount"]):
        return False
    return wanted["amount"] == "none" or all(record[name] == wanted[name] for name in ("format", "code"))


def _save_all(pictures, result, output, kind, **parts):
    saved = {}
    for name, picture in pictures.items():
        wanted = output.pictures == "all" or (output.pictures == "few" and picture.among_few)
        figure = picture.draw(result) if wanted else None
        if figure is not None:
            saved[name] = output_path(output.output, kind, picture=name, format=output.figure_format, **parts)
            save_figure(saved[name], figure, output.dpi)
    return saved
