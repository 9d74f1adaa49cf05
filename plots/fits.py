"""Fits of the regions of a run: SED, star formation history and posterior of each."""

from itertools import combinations_with_replacement

import numpy as np
from matplotlib.lines import Line2D

from plots.style import Picture, cluster_colours, figure_with_grid, flux_axis, wavelength_axis

REGIONS_SHOWN = 12  # the largest regions, to limit the size of the page
CORNER = {  # quantity -> label; those with log are drawn as logarithms
    "mass": "log M$_*$ [M$_\\odot$]",
    "sfr": "log SFR",
    "age": "age [Gyr]",
    "a_v": "$A_V$ [mag]",
    "metallicity": "Z [Z$_\\odot$]",
}
KEYS = [
    Line2D([], [], ls="none", marker="o", ms=4, color="black", label="photometry of the region"),
    Line2D([], [], ls="none", marker="s", ms=6, mfc="none", color="0.4", label="photometry of the model"),
    Line2D([], [], color="0.4", lw=1, label="spectrum of the best model"),
]
WIDTHS, TALL = (3.9, 2.35, 4.65), 2.45  # inches: widths of SED, history and posterior, and height of a row
BINS = 16
CONTENT = (16, 50, 84)  # percentiles that are marked
POINTS = {"ls": "none", "marker": "o", "ms": 3.5, "color": "black", "elinewidth": 0.9, "capsize": 2, "zorder": 4}


def fits_page(result):
    """Draw a row for each region of a run.

    Parameters
    ----------
    result : FittedRun
        Of which `fitted`, `regions`, `wavelengths` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where there is no region.
    """
    fitted = result.fitted[:REGIONS_SHOWN]
    if not fitted:
        return None
    title = result.title if len(fitted) == len(result.fitted) else f"{result.title}, the {len(fitted)} largest regions"
    room = {"left": 0.8, "right": 0.2, "bottom": 0.5, "top": 0.95, "across": 0.8, "down": 0.87}
    figure, grid = figure_with_grid(WIDTHS, [TALL] * len(fitted), title, **room)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - 0.3 / figure.get_figheight())}
    figure.legend(handles=KEYS, ncols=len(KEYS), frameon=False, fontsize=8, **below)
    for k, region in enumerate(fitted):
        name, colour = "all regions together", "black"
        if region.cluster:
            name = f"cluster {region.cluster}"
            colour = cluster_colours(result.regions[region.cluster - 1 : region.cluster])[0]
        sed = figure.add_subplot(grid[k, 0])
        draw_sed(sed, result.wavelengths / 1e4, region, colour)
        sed.set_title(name, size=9, loc="left", color=colour, weight="bold")
        if region.fit is None:
            sed.set_title(f"not fitted: {region.reason}", size=8, loc="right", color="firebrick")
            continue
        sed.set_title(f"χ² = {region.fit.chi2:.1f} in {region.fit.n_bands} bands", size=8, loc="right")
        draw_history(figure.add_subplot(grid[k, 1]), region.fit, colour)
        draw_corner(figure, grid[k, 2], region.fit.samples, colour)
    return figure


def draw_sed(ax, microns, region, colour):
    """Draw the fluxes of a region, and the fluxes and the spectrum of the model."""
    flux, error = np.array(region.flux), np.array(region.error)
    shown = np.isfinite(flux)
    others = []
    wavelength_axis(ax, microns)
    if region.fit is not None:
        within = (region.fit.wavelengths > 0.9e4 * microns.min()) & (region.fit.wavelengths < 1.1e4 * microns.max())
        spectrum = region.fit.spectrum[within]
        ax.plot(region.fit.wavelengths[within] / 1e4, spectrum, color=colour, lw=0.7, alpha=0.7)
        low, middle, high = region.fit.model
        errors = [middle - low, high - middle]
        ax.errorbar(microns, middle, errors, ls="none", marker="s", ms=6, mfc="none", color=colour, mew=1.2, zorder=3)
        others = [spectrum, low, high]
    ax.errorbar(microns[shown], flux[shown], error[shown], **POINTS)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    flux_axis(ax, flux, error, *others)
    ax.set_xlabel("observed wavelength [µm]", size=8)
    ax.set_ylabel("flux [µJy]", size=8)
    ax.tick_params(labelsize=7)


def draw_history(ax, fit, colour):
    """Draw the star formation rate over lookback time, with its 16 to 84% range."""
    low, middle, high = fit.sfh
    ax.fill_between(fit.lookback, low, high, color=colour, alpha=0.3, lw=0)
    ax.plot(fit.lookback, middle, color=colour, lw=1.4)
    ax.set_ylim(0, None)
    formed = fit.lookback[high > 0.01 * high.max()] if high.max() > 0 else fit.lookback
    ax.set_xlim(0, 1.05 * formed.max())
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel("lookback time [Gyr]", size=8, labelpad=1)
    ax.set_ylabel("SFR [M$_\\odot$ yr$^{-1}$]", size=8)
    ax.tick_params(labelsize=7)


def draw_corner(figure, place, samples, colour):
    """Draw the posterior of each quantity, and of each pair of them."""
    names = list(CORNER.values())
    values = [logarithm(samples[name]) if said.startswith("log") else samples[name] for name, said in CORNER.items()]
    ranges = [shown_range(each) for each in values]
    last = len(CORNER) - 1
    inner = place.subgridspec(len(CORNER), len(CORNER), wspace=0.1, hspace=0.12)
    for i, j in combinations_with_replacement(range(len(CORNER)), 2):
        ax = figure.add_subplot(inner[j, i])
        ax.tick_params(labelsize=5.5, length=2, pad=1, labelbottom=j == last, labelleft=0 == i < j)
        ax.set_xlim(ranges[i])
        if i == j:
            ax.hist(values[i], bins=BINS, range=ranges[i], color=colour, alpha=0.6)
            ax.set_yticks([])
            write_range(ax, names[i], values[i])
        else:
            extent, shown = (*ranges[i], *ranges[j]), np.isfinite(values[i]) & np.isfinite(values[j])
            ax.hexbin(
                values[i][shown],
                values[j][shown],
                gridsize=BINS,
                extent=extent,
                mincnt=1,
                cmap="Greys",
                bins="log",
                lw=0,
            )
            ax.set_ylim(ranges[j])
            ax.locator_params(axis="y", nbins=2)
        ax.locator_params(axis="x", nbins=3, prune="both")  # so that tick labels of neighbours do not overlap
        if j == last:
            ax.set_xlabel(names[i], size=6.5, labelpad=1)


def logarithm(values):
    """Logarithm to base 10; minus infinity for 0."""
    with np.errstate(divide="ignore"):
        return np.log10(values)


def shown_range(values):
    """Limits of an axis for the finite samples."""
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0, 1)
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def write_range(ax, name, values):
    """Mark the 16th, 50th and 84th percentile, and write them above the panel."""
    low, middle, high = np.percentile(values, CONTENT, method="nearest")  # no interpolation with -inf
    for value, style in ((low, ":"), (middle, "-"), (high, ":")):
        if np.isfinite(value):
            ax.axvline(value, color="black", lw=0.6, ls=style)
    if not np.isfinite([low, middle, high]).all():
        found = f"< {high:.2f}"
    else:
        digits = int(np.clip(1 - np.floor(np.log10(max(high - low, 1e-3))), 1, 3))
        found = f"${middle:.{digits}f}^{{+{high - middle:.{digits}f}}}_{{-{middle - low:.{digits}f}}}$"
    ax.text(0.5, 1.06, f"{name}\n{found}", transform=ax.transAxes, size=6, ha="center", va="bottom", linespacing=1.35)


FIT_PICTURES = {"fits": Picture(fits_page, "SED, model, star formation history and posterior of each region")}
