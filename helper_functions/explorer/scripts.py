"""Scripts that all pages of an output folder share."""

from data_paths import output_path
from helper_functions.files.saving import save_text


def share_scripts(output):
    """Copy the scripts that pages share into the output folder unless they are there; return their relative folder."""
    from plots.explorer.embed import ASSETS  # imported here, as Bokeh takes half a second to load

    for name, source in ASSETS.items():
        path = output_path(output, "page_scripts", name=name)
        if not path.is_file() or path.stat().st_size != source.stat().st_size:
            save_text(path, source.read_text(encoding="utf-8"))
    return path.parent.relative_to(output_path(output, "page_index").parent).as_posix()
