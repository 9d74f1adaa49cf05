"""Which runs to do: every combination of the methods, norms and metrics asked for that has a meaning."""

from itertools import product
from typing import NamedTuple

from helper_functions.clustering import IncompatibleMetric, check_run
from helper_functions.methods import METHODS

RECOMMENDED = "blended_mixture"  # the run that stands for a galaxy where one has to, if it is there


class Run(NamedTuple):
    """One (method, norm, metric)."""

    method: str
    norm: str
    metric: str

    @property
    def name(self):
        """Name of the run's folders: the method, and what is not default."""
        norm = () if self.norm == "none" else (self.norm,)
        metric = () if self.metric == METHODS[self.method].metric else (self.metric,)
        return "_".join((self.method, *norm, *metric))

    def title(self, n_clusters):
        """The run and what it found, for a picture; a norm or metric that the method brings is not named."""
        entry = METHODS[self.method]
        norm = (f"norm {self.norm}",) if entry.takes_any_norm else ()
        metric = (self.metric,) if self.metric != entry.metric else ()
        return f"{', '.join((self.method, *norm, *metric))} ({n_clusters} cluster{'s' * (n_clusters != 1)})"


def run_sort_key(run):
    """What runs of a galaxy are sorted by, by their names: the recommended one stands for the galaxy."""
    return run != RECOMMENDED, run


def plan_runs(methods, norms, metrics):
    """Which runs to do, and which are refused with what reason.

    Parameters
    ----------
    methods : sequence of str
    norms, metrics : sequence of str or None
        None stands for each method's own.

    Returns
    -------
    runs : list of Run
    refused : dict
        Run -> reason, for a method and metric that have no meaning together.

    Raises
    ------
    ValueError
        For a name that does not exist, or where every run is refused.
    """
    runs, refused = combine(methods, norms, metrics)
    if not runs:
        raise ValueError("; ".join(refused.values()))
    return runs, refused


def combine(methods, norms, metrics):
    """Every combination: the list of runs that have a meaning, and {Run: reason} of those that have none."""
    runs, refused = {}, {}
    for method, norm, metric in product(methods, norms, metrics):
        try:
            runs[Run(method, *check_run(method, norm, metric))] = True
        except IncompatibleMetric as reason:
            refused[Run(method, norm or METHODS[method].norm, metric)] = str(reason)
    return list(runs), refused
