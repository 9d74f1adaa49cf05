"""Make the pages of galaxies; as a command, python -m helper_functions.explorer.pages OUTPUT [ID ...] remakes them."""

import argparse
import warnings

import data_paths
from data_paths import output_path
from helper_functions.explorer.galaxy import read_galaxy
from helper_functions.explorer.index import update_index
from helper_functions.explorer.scripts import share_scripts
from helper_functions.files.code import code_digest, digest
from helper_functions.files.records import GALAXY, file_states, galaxy_lock, load_record, save_record
from helper_functions.files.saving import DiskFull, save_text
from helper_functions.products.summary import Summary


def make_page(output, id_dr3, is_standalone=False):
    """Make the page of a galaxy from its files in the output folder; return its path."""
    from plots.explorer.page import explorer_page  # imported here, as Bokeh takes half a second to load

    path = output_path(output, "page", id=id_dr3)
    assets = "" if is_standalone else share_scripts(output)
    save_text(path, explorer_page(read_galaxy(output, id_dr3), assets))
    return path


def page_or_warning(output, id_dr3, is_standalone=False):
    """Make the page of a galaxy and return its path; a failure only raises a warning."""
    try:
        return make_page(output, id_dr3, is_standalone)
    except DiskFull:
        raise
    except Exception as problem:
        warnings.warn(f"{id_dr3}: no page to look at ({type(problem).__name__}: {problem})", stacklevel=2)


def renew_page(output, id_dr3, is_standalone=False):
    """Remake the page of a galaxy after results were added, and note it in the galaxy's record.

    The caller must hold the lock of the galaxy. The page of an unfinished galaxy is made later.
    """
    record = load_record(output, id_dr3, GALAXY)
    if "pixels" in record and (page := page_or_warning(output, id_dr3, is_standalone)):
        made = {"page": page_version(is_standalone), "page_files": file_states(output, [page])}
        save_record(output, id_dr3, GALAXY, **(record | made))


def page_version(is_standalone):
    """Digest of the code of pages, and of `is_standalone`."""
    return digest(code_digest("pages"), is_standalone)


def main(arguments=None):
    """Remake the pages of some or all galaxies of an output folder; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Remake the pages of galaxies in an output folder, which open in a browser."
    )
    parser.add_argument("output", nargs="?", default=data_paths.clustering_folder(), help="output folder")
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="galaxies to remake the page of; default: all")
    parser.add_argument("--standalone", action="store_true", help="pages with all scripts inside, to be sent to others")
    asked = parser.parse_args(arguments)
    if not output_path(asked.output, "summary").exists():
        parser.error(f"{asked.output} holds no results: there is no summary.ecsv")
    summary = Summary(asked.output)
    known = {row["id_dr3"] for row in summary.rows()}
    if unknown := sorted(set(asked.ids) - known):
        parser.error(f"{asked.output} holds nothing of {', '.join(map(str, unknown))}")
    for id_dr3 in sorted(asked.ids or known):
        with galaxy_lock(asked.output, id_dr3):
            renew_page(asked.output, id_dr3, asked.standalone)
    update_index(asked.output, summary.rows, asked.standalone)
    print(f"open in a browser: {output_path(asked.output, 'page_index')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
