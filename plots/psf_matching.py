"""Quality of the PSF matching of a field."""

import numpy as np

from plots.style import PALETTE, new_figure


def psf_matching_page(verdicts, radii, most):
    """Draw FWHM before and after matching, encircled energies relative to the target, and residuals.

    Parameters
    ----------
    verdicts : Table
        A row for each band, by wavelength: band, psf, fwhm, matched_fwhm, residual, and ee_<radius> for each radius.
    radii : sequence of float
        Arcsec.
    most : float
        Percent of the peak: larger residuals are refused.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(max(4.2, 1.6 + 0.3 * len(verdicts)), 5.4)
    widths, energies, residuals = figure.subplots(3, 1, sharex=True)
    places = np.arange(len(verdicts))
    from_stars = np.array(["stars" in source for source in verdicts["psf"]])
    for is_star, marker, name in ((False, "o", "from a file"), (True, "*", "from stars")):
        if (from_stars == is_star).any():
            here = from_stars == is_star
            widths.plot(places[here], verdicts["fwhm"][here], marker, color=PALETTE[0], ls="none", label=name, ms=6)
    widths.plot(places, verdicts["matched_fwhm"], "_", color=PALETTE[1], ms=12, mew=2, label="matched")
    for place, source, fwhm in zip(places, verdicts["psf"], verdicts["fwhm"], strict=True):
        if "stars" in source:
            widths.annotate(source.split()[0], (place, fwhm), (0, -11), textcoords="offset points", size=6, ha="center")
    widths.set(ylabel="FWHM [arcsec]", ylim=(0, None))
    widths.legend(fontsize=7, ncols=3, loc="lower right", framealpha=0.8)
    for number, radius in enumerate(radii):
        excess = 100 * (np.array(verdicts[f"ee_{radius:g}"]) - 1)
        energies.plot(places, excess, "osD^"[number % 4], color=PALETTE[number], ms=4, label=f'{radius:g}"')
    energies.axhline(0, color="0.6", lw=0.8, zorder=0)
    energies.set(ylabel="encircled energy\nover target − 1 [%]")
    energies.legend(fontsize=7, ncols=len(radii), loc="best", framealpha=0.8, handletextpad=0.1, columnspacing=1)
    residuals.bar(places, verdicts["residual"], width=0.6, color=PALETTE[0])
    highest = max(verdicts["residual"].max(), 0.01)
    if highest > most / 3:
        residuals.axhline(most, color=PALETTE[1], ls="--", lw=1)
        residuals.text(len(verdicts) - 0.5, most, "refused above", size=7, ha="right", va="bottom", color=PALETTE[1])
    residuals.set(
        ylabel="residual [% of peak]", ylim=(0, max(1.15 * highest, 1.15 * most if highest > most / 3 else 0))
    )
    residuals.set_xticks(places, [name.upper() for name in verdicts["band"]], rotation=60, ha="right", size=7)
    residuals.set_xlim(-0.6, len(verdicts) - 0.4)
    widths.set_title(f"PSFs matched to {verdicts.meta['target'].upper()}", size=10)
    figure.align_ylabels()
    figure.tight_layout()
    return figure
