"""Draw and save the pictures of runs, of galaxies with all their runs, and of fits.

A picture is a function `picture(result)` in a file of `plots`, registered there in RUN_PICTURES, GALAXY_PICTURES or
FIT_PICTURES. It takes a `RunResult`, a `GalaxyResult` or a `FittedRun`, and returns a matplotlib `Figure`, or None
if there is nothing to draw.
"""

from data_paths import output_path
from helper_functions.files.code import code_digest
from helper_functions.files.saving import save_figure
from helper_functions.registry import gather
from plots.variants import variants_page

RUN_PICTURES = gather("plots", "RUN_PICTURES")
GALAXY_PICTURES = gather("plots", "GALAXY_PICTURES")
FIT_PICTURES = gather("plots", "FIT_PICTURES")
FIGURE_FORMATS = ("png", "pdf")
PICTURE_LEVELS = ("none", "few", "all")  # values of the setting `pictures`, each includes the previous ones


def save_run_pictures(result, output):
    """Draw and save the pictures of a `RunResult` with these `settings.Output`; return {name: path}."""
    return _save_all(RUN_PICTURES, result, output, "run_picture", id=result.cutout.id_dr3, run=result.run.name)


def save_galaxy_pictures(result, output):
    """Draw and save the pictures of a `GalaxyResult`; return {name: path}."""
    return _save_all(GALAXY_PICTURES, result, output, "galaxy_picture", id=result.cutout.id_dr3)


def save_fit_pictures(result, output):
    """Draw and save the pictures of a `FittedRun`; return {name: path}."""
    return _save_all(FIT_PICTURES, result, output, "run_picture", id=result.id_dr3, run=result.run)


def save_variants_picture(result, kind, method, output):
    """Draw and save the picture of a `VariantsResult`; return its path."""
    parts = {"kind": kind, "method": method, "id": result.cutout.id_dr3, "format": output.figure_format}
    path = output_path(output.output, "variants", **parts)
    save_figure(path, variants_page(result), output.dpi)
    return path


def pictures_record(output):
    """Record of drawn pictures: level, file format and digest of the code."""
    return {"amount": output.pictures, "format": output.figure_format, "code": code_digest("pictures")}


def are_drawn(record, output):
    """Whether a `pictures_record` includes all wanted pictures, drawn by the current code."""
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
