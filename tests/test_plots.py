from itertools import combinations, pairwise
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from conftest import celestial_wcs
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, to_rgba
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from sklearn.metrics import adjusted_rand_score

from helper_functions.composite_seds import composite_seds
from helper_functions.filters import pivot_wavelength
from helper_functions.number_of_clusters import Scores
from helper_functions.other_regions.outskirts import Outskirts
from helper_functions.pixel_seds import Cutout, extract_seds, median_snr
from helper_functions.products.results import BandWeights, GalaxyResult, RunPanel, VariantPanel, VariantsResult
from helper_functions.quality.compare_runs import agreement, region_map
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS
from helper_functions.sky_noise import measure_sky
from plots.cluster_map import cluster_map
from plots.comparison import comparison
from plots.composites import best_amplitude, composites_page
from plots.feature_weights import feature_weights_page
from plots.features import draw_wedge, features_page
from plots.fit_maps import fit_maps
from plots.fits import fits_page
from plots.number_of_clusters import number_of_clusters_page
from plots.overview import overview
from plots.simulation.recovery import criteria_matrix
from plots.simulation.scaling import scaling
from plots.style import (
    PALETTE,
    UNASSIGNED_COLOUR,
    cluster_colours,
    colour_image,
    east_and_north,
    figure_with_grid,
    flux_axis,
    label_image,
    new_figure,
    spread,
)
from plots.variants import variants_page

PAIRS = "adjusted Rand index of each pair of runs × 100"


def galaxy(n_bands, redshift=2.0):
    rng = np.random.default_rng(0)
    sci = rng.normal(1, 0.1, (n_bands, 20, 24)).astype(np.float32)
    sci[:, :3] = np.nan  # a strip without coverage
    err = np.where(np.isfinite(sci), 0.1, np.nan).astype(np.float32)
    segmap = np.zeros((20, 24), dtype=int)
    segmap[5:15, 5:15] = 7
    bands = tuple(np.array(SURVEY_BANDS)[np.linspace(0, 26, n_bands).astype(int)].tolist())
    wavelengths = np.array([pivot_wavelength(band) for band in bands])
    return Cutout(7, redshift, bands, wavelengths, sci, err, segmap, (7,), celestial_wcs())


def labels_of(cutout, n_clusters):
    labels = np.zeros(cutout.segmap.shape, dtype=int)
    member = cutout.segmap == 7
    labels[member] = 1 + np.arange(member.sum()) % n_clusters
    labels[5, 5] = -1
    return labels


def run_of(cutout, n_clusters, confidence=None, labels=None):
    """What of a `RunResult` is drawn; regions are numbered like clusters."""
    labels = labels_of(cutout, n_clusters) if labels is None else labels
    seds = extract_seds(cutout, labels != 0)
    composites = composite_seds(seds, labels[seds.rows, seds.cols])
    drawn = {"cutout": cutout, "seds": seds, "composites": composites, "labels": labels, "title": "title"}
    drawn |= {"regions": np.arange(1, n_clusters + 1), "populations": None, "small": np.zeros(n_clusters, dtype=bool)}
    clustering = SimpleNamespace(names=())
    drawn |= {"confidence": confidence, "band_weights": None, "clustering": clustering, "outskirts": None}
    return SimpleNamespace(**drawn)


def overview_of(cutout, mask):
    return overview(GalaxyResult(cutout, mask, median_snr(cutout), 3.0))


def comparison_of(*runs, judged=(), title="run", edges=None):
    """The comparison page of runs of one galaxy; without edges, no band overlaps another."""
    panels = [
        RunPanel(title, run.labels, run.regions, run.composites.flux, run.composites.error, judged) for run in runs
    ]
    cutout, mask, wavelengths = runs[0].cutout, runs[0].labels != 0, runs[0].seds.wavelengths
    edges = np.column_stack([wavelengths, wavelengths]) if edges is None else edges
    found = agreement(
        [str(number) for number in range(len(runs))], [region_map(run.labels, run.regions) for run in runs]
    )
    return comparison(
        GalaxyResult(cutout, mask, median_snr(cutout), 3.0, tuple(panels), wavelengths, edges, agreement=found)
    )


def panel_with(figure, title):
    """The axes with a title that begins so."""
    return next(ax for ax in figure.axes if title_of(ax).startswith(title))


def title_of(ax):
    return ax.get_title() or ax.get_title(loc="left")


@pytest.mark.parametrize("n_bands", [1, 3, 19, 27])
def test_overview_has_a_panel_for_every_band_and_two_more(n_bands):
    cutout = galaxy(n_bands)
    figure = overview_of(cutout, cutout.segmap == 7)
    bands, *others = figure.axes
    titles = [ax.get_title() for ax in others]
    assert [text.get_text() for text in bands.texts] == [band.upper() for band in cutout.bands]
    assert len(bands.images) == n_bands
    for image, line in zip(bands.images, bands.collections, strict=True):  # the segment is rows and columns 5 to 14
        left, _, low, _ = image.get_extent()
        points = np.concatenate(line.get_segments()) - [left, low]
        np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [(5, 5), (15, 15)])
    assert "segments (blue: selected from)" in titles
    assert "median SNR (line: > 3)" in titles
    assert "neighbours included: none" in figure.get_suptitle()


@pytest.mark.parametrize("n_bands", [1, 3, 19])
def test_overview_says_what_photon_noise_errors_do_not_hold(n_bands):
    cutout = galaxy(n_bands)
    cutout.segmap[:] = 7 * (np.hypot(*(np.mgrid[:20, :24] - 12)) < 2)
    noise = measure_sky(cutout.sci, cutout.err, cutout.segmap, pixel=0.1, source=7)  # large pixels: 440 are enough sky
    drawn = cutout._replace(noise=noise)
    for electrons, said in ((None, drawn.photon_note), (np.ones(n_bands), "")):
        figure = overview_of(drawn._replace(electrons=electrons), cutout.segmap == 7)
        title = panel_with(figure, "noise of a pixel").title
        assert " ".join(title.get_text().split("\n")[1:]) == said
        beside = panel_with(figure, "correlation of the noise").title
        box, other = (each.get_window_extent() for each in (title, beside))
        assert not box.overlaps(other)
    assert drawn.photon_note.startswith("errors hold no photon noise of the source, unless weights do, in all bands")


def test_overview_of_a_band_without_data_and_an_empty_mask():
    cutout = galaxy(3)
    cutout.sci[1] = cutout.err[1] = np.nan
    figure = overview_of(cutout, np.zeros((20, 24), dtype=bool))
    assert figure.axes[0].texts[1].get_text() == "F182M (no data)"


def test_a_cluster_has_the_colour_of_its_region_everywhere():
    """The same colour in the map, in its legend, in the composites and on the comparison page."""
    cutout = galaxy(6)
    run = run_of(cutout, 3)
    run.regions = np.array([1, 7, 2])
    second = to_rgba(PALETTE[6])
    where = tuple(np.argwhere(run.labels == 2)[0])
    figure = cluster_map(run)
    assert tuple(figure.axes[2].images[0].get_array()[where]) == second
    assert figure.legends[0].get_patches()[1].get_facecolor() == second
    page = composites_page(run)
    pixels, _, seds, _, similarities = page.axes
    members = pixels.images[3].get_array()  # after the band and the members of the first, and the band again
    assert {tuple(colour) for colour in members[members[..., 3] > 0][:, :3]} == {second[:3]}
    assert tuple(seds.collections[0].get_colors()[0][:3]) == second[:3]
    assert similarities.patches[1].get_facecolor() == second
    _, label_map, seds = comparison_of(run).axes
    assert tuple(label_map.images[0].get_array()[where]) == second
    marks, _, [bars] = seds.containers[1]
    apart, overlap = lines_of(seds)[2:4]  # those of the first cluster come first
    assert marks.get_color() == pytest.approx(second)
    assert [tuple(lines.get_colors()[0]) for lines in (bars, apart)] == [second, second]
    assert tuple(overlap.get_colors()[0][:3]) == second[:3]


def test_unassigned_is_grey_and_sky_transparent():
    image = label_image(np.array([[0, -1, 1]]))
    assert image[0, 0, 3] == 0
    assert tuple(image[0, 1]) == to_rgba(UNASSIGNED_COLOUR)
    assert tuple(image[0, 2]) == to_rgba(PALETTE[0])


def test_more_regions_than_colours_stay_apart():
    colours = cluster_colours(np.arange(1, 26))
    assert len({tuple(colour) for colour in colours}) == 25


def drawn(figure):
    """The figure as it is saved: only then texts and axes have their places."""
    FigureCanvasAgg(figure).draw()
    return figure


def lines_of(ax):
    """The lines that are not error bars, in the order in which they were drawn."""
    bars = [bar for container in ax.containers for bar in container.lines[2]]
    return [lines for lines in ax.collections if isinstance(lines, LineCollection) and lines not in bars]


def far_axes(page):
    """The second axes of wavelengths, by their labels."""
    return {far.get_xlabel(): far for ax in page.axes for far in ax.child_axes}


def apart(texts):
    """Whether no text lies over another."""
    boxes = [text.get_window_extent() for text in texts]
    return not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_composites_show_observed_and_rest_frame_wavelengths():
    page = drawn(composites_page(run_of(galaxy(6, redshift=2.0), 2)))
    observed, rest = (far_axes(page)[f"{name} wavelength [µm]"] for name in ("observed", "rest-frame"))
    first, second = page.axes[1:3]
    np.testing.assert_allclose(observed.get_xlim(), first.get_xlim())
    np.testing.assert_allclose(rest.get_xlim(), np.array(first.get_xlim()) / 3)
    assert second.get_ylabel() == "flux [10 nJy / pixel]"
    places = np.concatenate([line[:, 0] for lines in lines_of(first) for line in lines.get_segments()])
    assert np.isclose(places, 3 * 0.6565).any()  # Hα
    assert [text.get_text() for text in first.texts] == ["Balmer break", "[OII]", "Hβ, [OIII]", "Hα", "[SIII]", "Paβ"]


def test_without_redshift_wavelengths_are_observed_only():
    page = composites_page(run_of(galaxy(6, redshift=np.nan), 2))
    assert "observed wavelength [µm]" in far_axes(page)
    assert "rest-frame wavelength [µm]" not in far_axes(page)
    assert page.axes[1].get_ylabel() == "flux [10 nJy / pixel]"
    assert not page.axes[1].texts


@pytest.mark.parametrize("redshift", [0.1, 2.0, 7.0])
def test_names_of_bands_and_features_do_not_touch(redshift):
    page = drawn(composites_page(run_of(galaxy(27, redshift), 1)))
    texts = page.axes[1].texts
    assert len(texts) > 27
    assert apart(texts)
    rest = far_axes(page)["rest-frame wavelength [µm]"]
    assert max(text.get_window_extent().y1 for text in texts) < rest.get_tightbbox().y0


def test_places_are_moved_as_little_as_possible():
    np.testing.assert_allclose(spread([0.5, 0.5, 0.5, 0.9], 0.1), [0.4, 0.5, 0.6, 0.9])
    np.testing.assert_allclose(spread([0.3, 0.02, 0.01], 0.1), [0.3, 0.1, 0])
    np.testing.assert_allclose(spread([0.8, 1.0, 1.0], 0.1), [0.8, 0.9, 1.0])


def test_only_bands_that_do_not_overlap_are_joined():
    run = run_of(galaxy(4), 1)
    bands = ("f606w", "f090w", "f850lp", "f115w")  # F850LP lies inside F090W
    wavelengths = np.array([pivot_wavelength(band) for band in bands])
    run.seds = run.seds._replace(bands=bands, wavelengths=wavelengths)
    lines = next(each for each in lines_of(composites_page(run).axes[1]) if each.zorder == 2)
    microns = wavelengths / 1e4
    joined = np.array([line[:, 0] for line in lines.get_segments()])
    np.testing.assert_allclose(joined, [microns[:2], microns[2:]])


def points(ax):
    """The points of the SEDs: {(colour, opacity): fluxes}."""
    marks = [container.lines[0] for container in ax.containers]
    return {(to_rgba(mark.get_color()), mark.get_alpha()): mark.get_ydata().tolist() for mark in marks}


def test_faint_bands_are_pale():
    run = run_of(galaxy(3), 1)
    flux = run.composites.flux
    run.composites = run.composites._replace(error=np.abs(flux) * [[0.1, 0.6, 0.1]])
    assert points(composites_page(run).axes[1]) == {
        (to_rgba("black"), 1): flux[0, [0, 2]].tolist(),
        (to_rgba("black"), 0.3): flux[0, [1]].tolist(),
    }


def test_populations_are_drawn_in_the_colour_of_the_cluster():
    run = run_of(galaxy(3), 2)
    flux = np.array([[1.0, 2, 3], [4, 5, 6]])
    run.composites = run.composites._replace(flux=2 * flux, error=flux / 10)
    run.populations = SimpleNamespace(flux=flux, error=flux / 10)  # half as bright, to be drawn as bright
    page = composites_page(run)
    assert points(page.axes[2])[to_rgba(PALETTE[1]), 1] == pytest.approx([8, 10, 12])
    assert page.axes[2].get_ylim()[1] > 13.2
    assert "population, unmixed, scaled to the composite" in [text.get_text() for text in page.legends[0].get_texts()]


def test_the_amplitude_of_a_population_is_the_best_fit():
    """Of two bands with errors of 1 and 2, the amplitudes 1 and 3 are weighed 4 to 1; what is not known is left out."""
    amplitude = best_amplitude(np.array([1.0, 1, 5]), np.array([1.0, 3, np.nan]), np.array([1.0, 2, 1]))
    assert amplitude == pytest.approx((4 * 1 + 1 * 3) / 5)
    assert best_amplitude(np.ones(2), np.full(2, np.nan), np.ones(2)) == 1
    assert best_amplitude(np.ones(2), -np.ones(2), np.ones(2)) == 1


def test_no_line_is_drawn_over_a_band_without_data():
    run = run_of(galaxy(4), 1)
    run.composites.flux[0, 1] = np.nan
    lines = next(each for each in lines_of(composites_page(run).axes[1]) if each.zorder == 2)
    [line] = lines.get_segments()
    np.testing.assert_allclose(line[:, 0], run.seds.wavelengths[2:] / 1e4)


@pytest.mark.parametrize(("rows", "cols"), [(slice(5, 15), slice(5, 9)), (slice(0, 3), slice(20, 24))])
def test_members_lie_on_their_pixels(rows, cols):
    """In the middle of the image, and in a corner of it, a cluster is as large and where it is in both images."""
    cutout = galaxy(3)
    labels = np.zeros(cutout.segmap.shape, dtype=int)
    labels[rows, cols] = 1
    cutout.sci[-1] = labels
    cutout.err[:] = 1
    pixels = composites_page(run_of(cutout, 1, labels=labels)).axes[0]
    band, members = pixels.images
    assert band.get_extent() == members.get_extent()
    shown = np.asarray(members.get_array())[..., 3] > 0
    assert shown.sum() == (labels == 1).sum()
    np.testing.assert_array_equal(shown, np.asarray(band.get_array()) == np.max(band.get_array()))
    left, right, bottom, top = band.get_extent()
    assert (right - left) / shown.shape[1] == pytest.approx((top - bottom) / shown.shape[0])  # square pixels


@pytest.mark.parametrize(
    ("n_clusters", "n_bands", "factor"), [(1, 1, 1), (1, 2, 1), (12, 2, 1), (2, 3, -1), (2, 3, np.nan)]
)
def test_composites_of_any_galaxy_lie_inside_their_panels(n_clusters, n_bands, factor):
    """Also of one pixel, of negative fluxes, and of clusters without data in any band."""
    cutout = galaxy(n_bands)
    cutout.segmap[6:] = cutout.segmap[5, 6 + n_clusters :] = 0  # of so few pixels, a cluster has one or none
    run = run_of(cutout, n_clusters)
    composites = run.composites
    low, high = np.sort(factor * np.array([composites.low, composites.high]), axis=0)
    run.composites = composites._replace(flux=factor * composites.flux, low=low, high=high)
    page = composites_page(run)
    seds = page.axes[1:-1]
    for ax, flux in zip(seds, run.composites.flux, strict=True):
        bottom, top = ax.get_ylim()
        assert bottom < np.min(flux, initial=0, where=np.isfinite(flux))
        assert top > np.max(flux, initial=0, where=np.isfinite(flux))


def test_cluster_map_shows_the_truth_in_the_colours_of_the_clusters():
    """Each true region has the colour of its cluster; one that was not found has another."""
    run = run_of(galaxy(3), 2)
    run.regions = np.array([2, 5])
    truth = np.where(run.labels > 0, 3 - run.labels, 0)  # the same regions, in another order
    truth[6, 6:8] = 3
    run.cutout = run.cutout._replace(truth=truth)
    [image] = panel_with(cluster_map(run), "true regions").images
    image, found = image.get_array(), run.labels * (truth != 3) > 0
    np.testing.assert_array_equal(image[found], label_image(run.labels, run.regions)[found])
    assert tuple(image[6, 6]) not in {to_rgba(PALETTE[1]), to_rgba(PALETTE[4])}
    run.labels[run.labels > 0], run.regions = -1, np.array([], dtype=int)
    assert panel_with(cluster_map(run), "true regions")  # where no cluster was found


def test_three_colour_image_names_its_bands_and_heeds_the_selected_pixels_only():
    cutout = galaxy(6)
    mask = cutout.segmap == 7
    before = colour_image(cutout, mask)[mask]
    cutout.sci[:, 17:, 20:] = 1e4  # a bright neighbour
    np.testing.assert_array_equal(colour_image(cutout, mask)[mask], before)
    assert before.max() > 250
    ax = cluster_map(run_of(cutout, 2)).axes[0]
    words = [text.get_text() for text in ax.findobj(Text)]
    names = [band.upper() for band in cutout.bands]
    assert {f"{names[4]}–{names[5]}", f"{names[2]}–{names[3]}", f"{names[0]}–{names[1]}", "N", "E"} <= set(words)


def test_north_and_east_are_those_of_the_wcs():
    wcs = celestial_wcs()
    np.testing.assert_allclose(east_and_north(wcs), [[-1, 0], [0, 1]], atol=1e-12)
    wcs.wcs.pc = [[0, -1], [1, 0]]  # turned by 90 degrees
    (x0, y0), (x1, y1) = wcs.wcs_world2pix([[3.58, -30.4], [3.58, -30.399]], 0)
    np.testing.assert_allclose(
        east_and_north(wcs)[1], np.array([x1 - x0, y1 - y0]) / np.hypot(x1 - x0, y1 - y0), atol=1e-6
    )


def test_panels_of_a_grid_have_their_sizes_and_places():
    room = {"left": 0.5, "right": 0.25, "bottom": 1, "top": 0.75, "across": 0.3, "down": 0.2}
    figure, grid = figure_with_grid([1, 3], [2, 1, 1.5], "title", **room)
    np.testing.assert_allclose(figure.get_size_inches(), [0.5 + 1 + 0.3 + 3 + 0.25, 1 + 2 + 1 + 1.5 + 2 * 0.2 + 0.75])
    places = [figure.add_subplot(grid[cell]).get_window_extent().bounds for cell in ((0, 0), (1, 1))]
    np.testing.assert_allclose(np.array(places) / figure.dpi, [(0.5, 3.9, 1, 2), (1.8, 2.7, 3, 1)])


def test_no_figure_stays_open():
    cutout = galaxy(3)
    overview_of(cutout, cutout.segmap == 7)
    assert plt.get_fignums() == []


def test_feature_weights_stand_at_their_bands():
    bands = ("f000w", "f001w", "f002w")
    edges = np.array([[4000.0, 6000], [15000, 20000], [35000, 45000]])
    weights = BandWeights(bands, edges, np.array([0.0, 0.5, 1.0]), 2.0, {"halpha": ((6535, 6600),)})
    page = feature_weights_page(SimpleNamespace(band_weights=weights, title="title"))
    (ax,) = page.axes
    boxes = [collection.get_datalim(ax.transData).bounds for collection in ax.collections]
    # Redshift 2: the second band covers 0.5 to 0.667 micron, and is half as high as the third.
    assert boxes[0][0] == pytest.approx(0.5)
    assert boxes[0][0] + boxes[0][2] == pytest.approx(2 / 3)
    assert boxes[0][3] == pytest.approx(0.5)
    assert [text.get_text() for text in ax.texts] == ["F001W", "F002W"]
    assert page.texts[-1].get_text() == "weight 0: F000W"
    assert ax.get_xlabel() == "rest-frame wavelength [µm]"


def test_scaling_is_logarithmic_with_units():
    rows = [
        {"method": "kmeans", "n_pixels": n, "n_bands": 27, "seconds": n / 1e4, "megabytes": 0} for n in (1000, 9000)
    ]
    bands = [{"method": "kmeans", "n_pixels": 1000, "n_bands": n, "seconds": n, "megabytes": 5} for n in (4, 27)]
    page = scaling(rows, bands)
    assert [ax.get_ylabel() for ax in page.axes] == ["time [s]", "memory beyond the imports [MB]", "time [s]"]
    assert {ax.get_xscale() + ax.get_yscale() for ax in page.axes} == {"loglog"}
    assert page.axes[0].lines[0].get_ydata().tolist() == [0.1, 0.9]


def test_bins_of_faint_pixels_are_pale_on_the_map_and_in_the_picture():
    cutout = galaxy(3)
    labels, bins = np.zeros((2, *cutout.segmap.shape), dtype=int)
    labels[8:12, 7:10], labels[8:12, 10:13], bins[5:8, 5:15], bins[12:15, 5:15] = 1, 2, 1, 2
    run = run_of(cutout, 2, labels=labels)
    run.outskirts = Outskirts(bins, cluster=np.array([2, 1]), snr=np.array([9.0, 8.0]))
    ax = panel_with(cluster_map(run), "clusters (pale")
    below, above = (image.get_array() for image in ax.images)
    colours = cluster_colours(run.regions)
    for row, label in ((6, 2), (13, 1)):
        np.testing.assert_allclose(below[row, 9], [*colours[label - 1][:3], 0.35])
        assert above[row, 9, 3] == 0
    np.testing.assert_allclose(above[9, 8], colours[0])
    assert below[9, 8, 3] == 0
    assert ax.get_ylim()[0] < 5 - 1
    assert panel_with(cluster_map(run_of(cutout, 2, labels=labels)), "clusters").get_title() == "clusters"


def test_cluster_map_shows_the_confidence_that_it_is_given():
    cutout = galaxy(3)
    labels = labels_of(cutout, 2)
    confidence = np.where(labels != 0, 0.75, np.nan)
    with_it, without = cluster_map(run_of(cutout, 2, confidence)), cluster_map(run_of(cutout, 2))
    [image] = panel_with(with_it, "probability of the cluster").images
    np.testing.assert_array_equal(image.get_array().filled(np.nan), confidence)
    assert image.get_clim() == (0, 1)
    assert "probability of the cluster" not in texts_of(without)


def test_comparison_says_how_good_a_run_is():
    cutout = galaxy(3)
    page = comparison_of(run_of(cutout, 2), judged=("χ² 1.1", "stable 0.9", "fragments 0.2", "brightness 3%"))
    assert "χ² 1.1, stable 0.9, fragments 0.2,\nbrightness 3%" in [
        text.get_text() for ax in page.axes for text in ax.texts
    ]


def test_composites_are_shapes_with_errors_and_no_line_to_a_band_that_overlaps():
    run = run_of(galaxy(3), 1)
    run.composites = run.composites._replace(flux=np.array([[2.0, 4, 6]]), error=np.array([[0.4, 0.8, 1.2]]))
    microns = run.seds.wavelengths / 3 / 1e4
    edges = np.array([[4000, 23000], [22000, 23000], [38000, 42000.0]])  # the first two overlap
    seds = comparison_of(run, edges=edges).axes[2]
    (apart, overlap), (_, _, [bars]) = lines_of(seds), seds.containers[0]
    # Over the mean of 4 the composite is 0.5, 1, 1.5, with errors of a fifth of that.
    np.testing.assert_allclose(apart.get_segments(), [[[microns[1], 1], [microns[2], 1.5]]])
    np.testing.assert_allclose(overlap.get_segments(), [[[microns[0], 0.5], [microns[1], 1]]])
    assert overlap.get_alpha() < 0.5
    np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], [[0.4, 0.6], [0.8, 1.2], [1.2, 1.8]])


def test_the_page_shows_how_far_runs_agree():
    cutout = galaxy(3)
    thirds, halves = run_of(cutout, 3), run_of(cutout, 2)
    page = comparison_of(thirds, halves, thirds)
    titles = texts_of(page)
    frequent, share, pairs = (panel_with(page, title) for title in ("most frequent region", "share of the runs", PAIRS))
    index = adjusted_rand_score(thirds.labels[5:15, 5:15].ravel(), halves.labels[5:15, 5:15].ravel())
    assert [text.get_text() for text in pairs.texts] == [f"{round(100 * index)}", "100", f"{round(100 * index)}"]
    np.testing.assert_array_equal(frequent.images[0].get_array(), label_image(thirds.labels))  # two of three runs
    share = share.images[0].get_array()
    assert set(share[5:15, 5:15].compressed().round(3)) == {0.667, 1}
    assert [title[:2] for title in titles if title.endswith("run")] == ["1:", "2:", "3:"]


@pytest.mark.parametrize("n_runs", [1, 7, 20])
def test_nothing_on_the_page_is_cut_off_or_overlaps_whatever_the_runs_are_like(n_runs):
    cutout = galaxy(4)
    unassigned = np.where(cutout.segmap == 7, -1, 0)
    kinds = run_of(cutout, 12), run_of(cutout, 0, labels=unassigned), run_of(cutout, 1)
    title = "spectral_cross_cor, norm contrast, weightednorm (10 clusters)"
    judged = ("χ² 123", "held-out bands 12.34σ", "fragments 0.11", "stable 0.50", "brightness 100%")
    for first in range(3 if n_runs == 1 else 1):
        runs = [kinds[(first + number) % 3] for number in range(n_runs)]
        page = comparison_of(*runs, judged=judged, title=title)
        renderer = FigureCanvasAgg(page).get_renderer()
        page.draw(renderer)
        boxes = [ax.get_tightbbox(renderer) for ax in page.axes]
        assert all(page.bbox.x0 <= box.x0 and box.x1 <= page.bbox.x1 for box in boxes)
        assert all(page.bbox.y0 <= box.y0 and box.y1 <= page.bbox.y1 for box in boxes)
        boxes.append(page._suptitle.get_window_extent(renderer))
        overlapping = [(one, other) for one, other in combinations(boxes, 2) if Bbox.intersection(one, other)]
        assert overlapping == []


def test_number_of_clusters_page_marks_each_choice_and_what_was_taken():
    scores = {
        "tic": Scores(np.array([-1e6, -3e3, 0.0, -20, -50]), 3),  # steep: logarithmic
        "silhouette": Scores(np.array([np.nan, 0.4, 0.3, 0.2, np.nan]), 2, "", np.array([np.nan, 0, 0.15, 0.15, 0])),
        "gap": Scores(np.full(5, np.nan), 1),  # nothing to draw is no reason to fail
    }
    clustering = SimpleNamespace(scores=scores, k_choice="tic", k_notes=["what to know"])
    figure = number_of_clusters_page(SimpleNamespace(clustering=clustering, title="id 7"))
    steep, flat, empty = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["tic: 3", "silhouette: 2", "gap: 1"]
    assert (steep.get_yscale(), flat.get_yscale()) == ("symlog", "linear")
    curve, mark, taken = flat.lines
    np.testing.assert_array_equal(curve.get_xydata(), [[2, 0.4], [3, 0.3], [4, 0.2]])
    assert mark.get_xdata() == [2]
    assert set(taken.get_xdata()) == {3}
    assert figure.get_suptitle() == "id 7\ntic chose 3\nwhat to know"
    assert len(empty.lines[0].get_xdata()) == 0
    (bars,) = flat.collections
    np.testing.assert_allclose([bar[:, 1] for bar in bars.get_segments()], [[0.15, 0.45], [0.05, 0.35]])
    (band,) = flat.patches
    assert (band.get_x() < 2, band.get_x() + band.get_width() > 3) == (True, True)
    assert not steep.patches
    clustering.k_choice = "silhouette"
    other = number_of_clusters_page(SimpleNamespace(clustering=clustering, title="id 7"))
    assert other.get_suptitle() == "id 7\nsilhouette chose 2\nwhat to know"  # notes tell the range


def test_the_key_explains_what_is_there():
    def key(**scores):
        clustering = SimpleNamespace(scores=scores, k_choice="tic", k_notes=[])
        return number_of_clusters_page(SimpleNamespace(clustering=clustering, title="id 7")).texts[-1].get_text()

    bare = Scores(np.array([0.1, 0.4, 0.3]), 2)
    clear = bare._replace(error=np.array([0.01, 0, 0.01]))
    assert all(word not in key(tic=bare) for word in ("bars", "grey"))
    assert "bars" in key(tic=bare, bic=clear)
    assert "grey" not in key(tic=bare, bic=clear)
    assert "grey" in key(tic=bare, bic=clear._replace(error=np.array([0.01, 0, 0.5])))


@pytest.mark.parametrize("deepest", [60, 1e3, 1e6, 1e9])
def test_labels_of_a_steep_score_do_not_touch(deepest):
    scores = {"tic": Scores(-np.array([deepest, 0, 1.3, 2.5]), 2, "log", np.array([10.0, 0, 9, 9]))}
    clustering = SimpleNamespace(scores=scores, k_choice="tic", k_notes=[])
    figure = number_of_clusters_page(SimpleNamespace(clustering=clustering, title="id 7"))
    FigureCanvasAgg(figure).draw()
    (ax,) = figure.axes
    low, high = ax.get_ylim()
    labels = [tick.label1 for tick in ax.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) >= 2
    heights = sorted((box.y0, box.y1) for box in boxes)
    assert all(below[1] < above[0] for below, above in pairwise(heights))


def variants_of(cutout, n_rows, n_columns):
    """Panels of one galaxy in a grid, the last of which failed; the clusters of all are the same four regions."""
    run = run_of(cutout, 4)
    shown = run.labels, run.regions, run.composites.flux, run.composites.error
    cells = [(f"norm {row}" if n_rows > 1 else "", f"metric {column}") for row, column in np.ndindex(n_rows, n_columns)]
    panels = {cell: VariantPanel("ARI −0.12, χ² 123.45", *shown) for cell in cells}
    panels[cells[-1]] = VariantPanel("", problem="no band covers paschen at redshift 2.000: leave it out of FEATURES")
    edges = np.column_stack([run.seds.wavelengths] * 2)
    title = "id 12345, z = 4.135: spectral_cross_cor into 10 clusters, with each norm (row) and metric (column)"
    return VariantsResult(cutout, run.labels != 0, title, panels, cells[0], run.seds.wavelengths, edges)


@pytest.mark.parametrize("shape", [(1, 5), (6, 1), (3, 3)])
def test_variants_are_of_one_size_and_nothing_overlaps(shape):
    result = variants_of(galaxy(4), *shape)
    page = variants_page(result)
    renderer = FigureCanvasAgg(page).get_renderer()
    page.draw(renderer)
    maps = [ax for ax in page.axes if ax.images]
    assert len(maps) == np.prod(shape) - 1 + (shape[0] == 1)  # one failed; in a row, the galaxy is beside
    assert len({tuple(ax.get_window_extent().size.round(1)) for ax in maps}) == 1
    boxes = [ax.get_tightbbox(renderer) for ax in page.axes]
    boxes += [text.get_window_extent(renderer) for text in page.texts]  # title and key
    assert all(page.bbox.x0 <= box.x0 and box.x1 <= page.bbox.x1 for box in boxes)
    assert all(page.bbox.y0 <= box.y0 and box.y1 <= page.bbox.y1 for box in boxes)
    assert not any(Bbox.intersection(one, other) for one, other in combinations(boxes, 2))
    assert any("no band covers" in text for text in texts_of(page))


def test_variants_are_in_arcsec_and_the_reference_is_framed():
    result = variants_of(galaxy(4), 2, 2)
    first, second, third, _ = variants_page(result).axes
    # Pixels 5 to 14 of 20 x 24 are selected: their middle is 9.5.
    places = {label.get_text(): place for place, label in zip(first.get_yticks(), first.get_yticklabels(), strict=True)}
    assert places["0"] == pytest.approx(9.5)
    assert places["0.2"] == pytest.approx(9.5 + 0.2 / result.cutout.pixel)
    assert first.spines["left"].get_linewidth() > second.spines["left"].get_linewidth()
    assert [first.get_ylabel(), second.get_ylabel(), third.get_xlabel()] == ["y [arcsec]", "", "x [arcsec]"]


def test_criteria_matrix_has_a_cell_for_each_criterion_that_chose():
    rows = [("kmeans", "gap", 0.4, 0.5, 3, 4), ("kmeans", "bic", 0.3, 0.6, 1, 4), ("spectral", "gap", 0.2, 0.3, 2, 4)]
    names = ("method", "criterion", "ari", "ari_core", "n_within_1", "n_galaxies")
    figure = criteria_matrix(Table(rows=rows, names=names), ["kmeans", "dbscan", "spectral"], ["bic", "gap"])
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array().filled(np.nan), [[0.3, 0.4], [np.nan, 0.2]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["kmeans", "spectral"]
    assert "0.40 / 0.50\n3 of 4" in [text.get_text() for text in ax.texts]


def test_what_is_not_there_is_not_drawn():
    cutout = galaxy(3)
    run = run_of(cutout, 2)
    empty = composite_seds(run.seds, np.full(len(run.seds.flux), -1))
    nothing = SimpleNamespace(
        **vars(run) | {"composites": empty, "clustering": SimpleNamespace(scores={}, k_choice="")}
    )
    assert composites_page(nothing) is None
    assert number_of_clusters_page(nothing) is None
    taken = SimpleNamespace(scores={"recommended": Scores(np.zeros(3), 2)}, k_choice="recommended", k_notes=[])
    assert number_of_clusters_page(SimpleNamespace(clustering=taken, title="")) is None
    taken.scores["bic"] = taken.scores["recommended"]
    assert len(number_of_clusters_page(SimpleNamespace(clustering=taken, title="")).axes) == 2
    assert feature_weights_page(nothing) is None
    assert comparison(GalaxyResult(cutout, run.labels != 0, median_snr(cutout), 3.0)) is None


def test_composites_say_which_clusters_are_below_the_psf():
    run = run_of(galaxy(3), 3)
    run.small = np.array([False, True, False])
    labels = [words for words in texts_of(composites_page(run)) if words.startswith("cluster")]
    assert ["below the PSF" in label for label in labels] == [False, True, False]
    run.clustering.names = ("north arm", "core", "a tail that nobody has a short name for")
    labels = [words.split("\n")[0] for words in texts_of(composites_page(run)) if words.startswith("cluster")]
    assert labels == ["cluster 1, north arm", "cluster 2, core", "cluster 3, a tail that nobod"]


def features_of(u_v, v_j):
    values = {"u_v": u_v, "v_j": v_j}
    return {
        name: SimpleNamespace(value=np.array(value), error=np.full(len(value), 0.1)) for name, value in values.items()
    }


def test_features_are_drawn_where_they_are_known():
    run = run_of(galaxy(6, redshift=2.0), 3)
    image = np.where(run.labels > 0, np.arange(24.0), np.nan)
    run.maps = {"ew_halpha_nii": (image, image), "d4000": (image, image)}
    known, unknown = features_of([1.0, 1.5, 0.5], [0.5, np.nan, 1.0]), features_of([np.nan] * 3, [np.nan] * 3)
    run.features = {"population": known, "composite": unknown}
    figure = drawn(features_page(run))
    names = ["clusters", "EW of Hα + [NII], rest frame", "colours of the clusters"]
    assert [words for words in texts_of(figure) if words in names] == names
    diagram = panel_with(figure, names[2])
    marks, _, bars = zip(*(container.lines for container in diagram.containers), strict=True)
    np.testing.assert_allclose([mark.get_xydata()[0] for mark in marks], [(0.5, 1.0), (1.0, 0.5)])
    np.testing.assert_allclose([mark.get_markerfacecolor() for mark in marks], [to_rgba(PALETTE[n]) for n in (0, 2)])
    along, up = ([each.get_segments()[0] for each in direction] for direction in zip(*bars, strict=True))
    np.testing.assert_allclose(along, [[(0.4, 1.0), (0.6, 1.0)], [(0.9, 0.5), (1.1, 0.5)]])
    np.testing.assert_allclose(up, [[(0.5, 0.9), (0.5, 1.1)], [(1.0, 0.4), (1.0, 0.6)]])
    run.features = {"composite": unknown}
    assert [words for words in texts_of(features_page(run)) if words in names] == names[:2]
    run.maps = None
    assert features_page(run) is None


def test_the_map_of_a_flux_is_logarithmic_in_the_unit_of_its_bar_and_six_panels_are_two_rows():
    run = run_of(galaxy(6, redshift=2.0), 3)
    image = np.where(run.labels > 0, np.arange(24.0) - 1, np.nan)
    names = ("flux_halpha_nii", "ew_halpha_nii", "ew_oiii_hbeta", "balmer_break")
    run.maps = {name: (image * (1e-20 if name.startswith("flux") else 1),) * 2 for name in names}
    run.features = {"population": features_of([1.0, 1.5, 0.5], [0.5, 0.8, 1.0])}
    figure = drawn(features_page(run))
    fluxes, widths = (
        panel_with(figure, title).images[0] for title in ("flux of Hα + [NII]", "EW of [OIII] + Hβ, rest frame")
    )
    np.testing.assert_allclose(np.ma.filled(fluxes.get_array(), np.nan), image)
    assert isinstance(fluxes.norm, LogNorm)
    assert fluxes.norm.vmin > 0
    assert not isinstance(widths.norm, LogNorm)
    bottoms = {round(ax.get_position().y0, 3) for ax in figure.axes if ax.get_title()}
    assert len(bottoms) == 2


def test_the_wedge_of_quiescent_galaxies_is_that_of_the_paper():
    """Corners by hand, from the equations: at redshift 1.5, U - V = 1.3 meets 0.88 (V - J) + 0.49 at V - J = 0.92."""
    figure = new_figure(3, 3)
    ax = figure.subplots()
    draw_wedge(ax, 1.5)
    np.testing.assert_allclose(ax.lines[0].get_xydata()[1:3], [(0.81 / 0.88, 1.3), (1.6, 0.88 * 1.6 + 0.49)])


def fitted_run(n_regions, unknown=()):
    """A `FittedRun` of regions in columns; those in `unknown` have no fit."""
    rng = np.random.default_rng(0)
    labels = np.zeros((20, 24), dtype=int)
    labels[4:16, 4:20] = 1 + np.arange(16) * n_regions // 16
    wavelengths = np.linspace(5e3, 4.5e4, 8)
    known = {"mass": 10 ** rng.normal(9, 0.1, 200), "sfr": rng.uniform(0, 1, 200), "age": rng.normal(1, 0.1, 200)}
    known |= {"a_v": rng.normal(1, 0.1, 200), "metallicity": np.ones(200)}
    known["sfr"][:40] = 0  # whose logarithm is not finite
    flux = rng.uniform(-0.1, 1, 8)
    flux[2] = np.nan
    fit = SimpleNamespace(samples=known, lookback=np.linspace(0, 3, 9), sfh=np.ones((3, 9)), chi2=9.4, n_bands=7)
    fit.wavelengths, fit.spectrum, fit.model = np.linspace(4e3, 5e4, 50), np.ones(50), np.ones((3, 8))
    regions = [
        SimpleNamespace(
            cluster=number,
            flux=tuple(flux),
            error=(0.1,) * 8,
            fit=None if number in unknown else fit,
            reason="five bands are too few" if number in unknown else None,
        )
        for number in range(1, n_regions + 1)
    ]
    image = np.where(labels > 0, 10.0**labels, np.nan)
    maps = {"mass": SimpleNamespace(image=image, unit=u.solMass, is_sum=True)}
    maps |= {"a_v": SimpleNamespace(image=image, unit=u.mag, is_sum=False)}
    maps |= {"log_u": maps["a_v"], "sfr": SimpleNamespace(image=0 * image, unit=u.solMass / u.yr, is_sum=True)}
    drawn = {"title": "title", "wcs": celestial_wcs(), "labels": labels, "regions": np.arange(1, n_regions + 1)}
    return SimpleNamespace(**drawn, wavelengths=wavelengths, fitted=regions, maps=maps)


def test_the_flux_axis_holds_all_that_is_drawn_and_is_logarithmic_where_it_can_be():
    """A faint band beside a bright line; zero, or a band that is not detected, needs a linear part."""
    flux, error, line = np.array([1.0, 2, np.nan, 50]), np.full(4, 0.2), np.array([0.5, 900.0])
    for extra, scale in (([], "log"), ([0.0], "symlog"), ([-3.0], "symlog"), ([1e-9], "symlog")):
        ax = new_figure(4, 3).add_subplot()
        flux_axis(ax, flux, error, line, np.array(extra))
        low, high = ax.get_ylim()
        assert (ax.get_yscale(), low < min([0.5, *extra]), high > 900) == (scale, True, True)
    for dark in (np.full(4, -1.0), np.full(4, np.nan)):
        flux_axis(new_figure(4, 3).add_subplot(), dark, error)


def test_maps_are_in_arcsec_from_the_middle_of_the_selected_pixels():
    """Of a segment of rows and columns 5 to 14, the middle is 9.5; a pixel is as wide as the WCS says."""
    cutout = galaxy(3)
    run = run_of(cutout, 2)
    ax = panel_with(cluster_map(run), "three-colour image")
    for axis, name in ((ax.xaxis, "x [arcsec]"), (ax.yaxis, "y [arcsec]")):
        places = [float(label.get_text().replace("−", "-")) for label in axis.get_ticklabels()]
        np.testing.assert_allclose((axis.get_ticklocs() - 9.5) * cutout.pixel, places, atol=1e-6)
        assert (0 in places, len(places) > 2, axis.get_label_text()) == (True, True, name)


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_fits_have_a_row_for_each_region_and_say_why_there_is_no_fit():
    figure = fits_page(fitted_run(2, unknown=[2]))
    texts = texts_of(figure)
    assert {"cluster 1", "cluster 2", "not fitted: five bands are too few", "χ² = 9.4 in 7 bands"} <= set(texts)
    assert len(figure.axes) == 1 + 1 + 15 + 1
    assert any("log SFR\n< " in text for text in texts)  # a sixth of the samples form no stars
    assert fits_page(fitted_run(0)) is None


def test_the_fit_of_all_regions_together_is_drawn_as_no_cluster():
    run = fitted_run(2)
    run.fitted[1].cluster = 0
    assert {"cluster 1", "all regions together"} <= set(texts_of(fits_page(run)))


def test_maps_have_their_units_and_sums_are_per_pixel():
    figure = fit_maps(fitted_run(3))
    labels = {ax.get_ylabel() for ax in figure.findobj(Axes)[1:] if ax.get_ylabel()}
    assert labels == {
        "M⊙ per pixel",
        "mag",
        "M⊙ yr⁻¹ per pixel",
    }
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["regions", "stellar mass", "$A_V$", "SFR"]
    empty = fitted_run(3)
    empty.maps = {}
    assert fit_maps(empty) is None
