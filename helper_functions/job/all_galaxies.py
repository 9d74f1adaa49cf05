"""In which order the galaxies of a call are worked on."""

from helper_functions.files.records import begun


def processing_order(survey, ids, output, jobs):
    """Ids of galaxies in the order in which they are best worked on.

    Galaxies that an earlier call began come last, as most of them are done already. With several jobs, galaxies with
    large segments come first, so that at the end no process is left alone with a large one.

    Parameters
    ----------
    survey : Survey
    ids : sequence of int
    output : path
        Output folder, in which an earlier call may have begun galaxies.
    jobs : int
        Galaxies worked on at a time. With one, the order of `ids` is kept.

    Returns
    -------
    list of int
    """
    begun_before = begun(output)
    if jobs > 1:
        sizes = {id_dr3: segment.n_pixels for id_dr3, segment in survey.segments.items()}
        ids = sorted(ids, key=lambda id_dr3: -sizes.get(id_dr3, 0))
    return sorted(ids, key=lambda id_dr3: str(id_dr3) in begun_before)
