"""Plan the runs: every meaningful combination of the methods, norms and metrics asked for."""

from itertools import product
from typing import NamedTuple

from helper_functions.clustering import IncompatibleMetric, check_run
from helper_functions.methods import METHODS, RECOMMENDED
from helper_functions.methods.method import Method

OWN_REGIONS = "own_regions"  # in place of a method: a user's own regions
ENTRIES = METHODS | {
    OWN_REGIONS: Method(
        None, "regions of a file", norm="none", takes_any_norm=False, takes_any_metric=False, criterion="given"
    )
}


class Run(NamedTuple):
    """A combination of method, norm and metric."""

    method: str
    norm: str
    metric: str

    @property
    def entry(self):
        """`Method` of the run."""
        return ENTRIES[self.method]

    @property
    def name(self):
        """Name of the run's folders: the method, and norm and metric unless they are the default."""
        norm = () if self.norm == "none" else (self.norm,)
        metric = () if self.metric == self.entry.metric else (self.metric,)
        return "_".join((self.method, *norm, *metric))

    def title(self, n_clusters):
        """The run and its number of clusters, for a picture; norm and metric are omitted if the method sets them."""
        norm = (f"norm {self.norm}",) if self.entry.takes_any_norm else ()
        metric = (self.metric,) if self.metric != self.entry.metric else ()
        return f"{', '.join((self.method, *norm, *metric))} ({n_clusters} cluster{'s' * (n_clusters != 1)})"


ORDER = {method: place for place, method in enumerate(METHODS)}
RECOMMENDED_RUN = Run(RECOMMENDED, *check_run(RECOMMENDED, None, None))
OWN_RUN = Run(OWN_REGIONS, ENTRIES[OWN_REGIONS].norm, ENTRIES[OWN_REGIONS].metric)


def run_sort_key(run):
    """Key to sort names of runs: the recommended run first, then in the order of METHODS, and by norm and metric."""
    method = max((name for name in METHODS if f"{run}_".startswith(f"{name}_")), key=len, default="")
    return run != RECOMMENDED, ORDER.get(method, len(ORDER)), run


def plan_runs(methods, norms, metrics, regions=None):
    """Combine methods, norms and metrics into runs.

    Parameters
    ----------
    methods : sequence of str
    norms, metrics : sequence of str or None
        None stands for each method's own.
    regions : str or None
        File of a user's own regions, which are one more run.

    Returns
    -------
    runs : list of Run
    refused : dict
        Run -> reason, for combinations of method and metric that are not meaningful.

    Raises
    ------
    ValueError
        For an unknown name, or if every run is refused.
    """
    runs, refused = combine(methods, norms, metrics)
    if not runs:
        raise ValueError("; ".join(refused.values()))
    return [*runs, OWN_RUN] if regions else runs, refused


def combine(methods, norms, metrics):
    """Like `plan_runs`, but all runs may be refused."""
    runs, refused = {}, {}
    for method, norm, metric in product(methods, norms, metrics):
        try:
            runs[Run(method, *check_run(method, norm, metric))] = True
        except IncompatibleMetric as reason:
            refused[Run(method, norm or METHODS[method].norm, metric)] = str(reason)
    return list(runs), refused
