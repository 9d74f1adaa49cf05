import numpy as np
import pytest
from astropy.table import Table
from scipy.stats import spearmanr

from distances import METRICS
from helper_functions import clustering, number_of_clusters
from helper_functions.clustering import cluster_pixels, criterion_of
from helper_functions.methods import METHODS
from helper_functions.normalize import NORMS
from helper_functions.products.runs import Run
from helper_functions.simulation import recovery, suites
from helper_functions.simulation.recovery import (
    CHANCE,
    GIVEN,
    TRUE_SEDS,
    all_runs,
    ari_by_number,
    at_truth,
    default_runs,
    main,
    mean_scores,
    realistic_scores,
    score,
    sed_panels,
)
from helper_functions.simulation.suites import decouple, suite_galaxy
from plots.simulation.recovery import seds_against_truth
from plots.style import match_colours

KMEANS = Run("kmeans", "L2", "euclidean")


@pytest.fixture(scope="module")
def galaxy():
    """The first galaxy of a suite made small: 3 regions of distinct SEDs."""
    patch = pytest.MonkeyPatch()
    patch.setattr(suites, "RADII", (8.0,))
    yield suite_galaxy(0, first_seed=1)
    patch.undo()


def test_the_suite_is_what_it_says(monkeypatch):
    monkeypatch.setattr(suites, "RADII", (6.0,))  # their size is not in the names
    kinds = [suite_galaxy(number, 1).name.rsplit(",", 1)[0] for number in range(12)]
    assert len(set(kinds)) == 12
    assert kinds[0] == "distinct, 3 regions, SNR 30"
    assert kinds[-1] == "similar, 5 regions, SNR 100"


@pytest.mark.parametrize("number", [0, 2, 5])  # radii 14, 22 and 22; SNR 30, 30 and 100
def test_galaxies_have_the_size_asked_for(number):
    galaxy = suite_galaxy(number, 1000)
    assert 600 <= len(galaxy.region) <= 3500
    assert set(np.unique(galaxy.region)) == set(range(1, len(galaxy.region_seds) + 1))


def test_references(galaxy):
    """The classifier given the true SEDs beats every method, and shuffled labels score 0: the scale of the scores."""
    true_seds, _ = score(galaxy, "galaxies", TRUE_SEDS, 3)
    chance, _ = score(galaxy, "galaxies", CHANCE, 3)
    assert true_seds["ari"] > 0.5
    assert true_seds["ari_core"] > 0.9
    assert abs(chance["ari"]) < 0.05
    assert true_seds["composite_distance"] < chance["composite_distance"]


def test_following_brightness_scores_near_zero_when_decoupled(galaxy):
    """What decoupling is for: k-means on raw fluxes follows brightness, and must not be taken for recovery."""
    decoupled = decouple(galaxy, 3)
    raw, _ = score(decoupled, "decoupled", Run("kmeans", "none", "euclidean"), 3)
    shape, _ = score(decoupled, "decoupled", KMEANS, 3)
    assert abs(raw["ari"]) < 0.1  # among pixels of one brightness it still sees shapes
    assert shape["ari"] > raw["ari"] + 0.2


def test_decoupled_pixels_are_pure_and_their_brightness_says_nothing(galaxy):
    decoupled = decouple(galaxy, 3)
    brightness = decoupled.seds.flux.mean(axis=1)
    for region, sed in enumerate(galaxy.region_seds, start=1):
        mine = decoupled.region == region
        residual = decoupled.seds.flux[mine] - brightness[mine, None] * sed
        # Chi2 per degree of freedom: the mean over 27 bands takes out little, 100 pixels and more give it to 3%.
        assert np.mean((residual / decoupled.seds.error[mine]) ** 2) == pytest.approx(1, abs=0.15)
        others = decoupled.region != region
        assert abs(np.log(np.median(brightness[mine]) / np.median(brightness[others]))) < 0.5
    assert abs(spearmanr(galaxy.seds.flux.mean(axis=1), brightness).statistic) < 0.15


@pytest.mark.parametrize("run", [run for run in all_runs() if run.norm in ("L2", "contrast")], ids=lambda run: run.name)
def test_nothing_depends_on_units_or_order(run, galaxy):
    seds = galaxy.seds
    options = {"method": run.method, "norm": run.norm, "metric": run.metric, "n_clusters": 3}
    labels = cluster_pixels(seds, **options).labels
    pixels = np.random.default_rng(0).permutation(len(labels))
    bands = np.random.default_rng(1).permutation(len(seds.bands))
    units = seds._replace(flux=1000 * seds.flux, error=1000 * seds.error)
    assert (cluster_pixels(units, **options).labels == labels).all()
    order = seds._replace(flux=seds.flux[pixels], error=seds.error[pixels])
    assert (cluster_pixels(order, **options).labels == labels[pixels]).all()
    assert (cluster_pixels(seds.only(bands=bands), **options).labels == labels).all()


def test_every_run_is_in_the_suite():
    expected = {
        (method, norm, metric)
        for method, entry in METHODS.items()
        for norm in (NORMS if entry.takes_any_norm else [entry.norm])
        for metric in (METRICS if entry.takes_any_metric else [entry.metric])
    }
    runs = all_runs()
    assert len(runs) == len(expected)
    assert set(runs) == expected


def test_every_method_has_the_criteria_that_are_scored(monkeypatch):
    monkeypatch.setattr(suites, "RADII", (6.0,))
    monkeypatch.setattr(clustering, "MAX_CLUSTERS", 3)
    monkeypatch.setattr(number_of_clusters, "REFERENCES", 2)
    monkeypatch.setattr(number_of_clusters, "RECLUSTER_PIXELS", 50)
    seds = suite_galaxy(0, 5).seds
    for method in ("kmeans", "blended_mixture"):  # one without and one with probabilities
        scores = cluster_pixels(seds, method=method, criteria=recovery.CRITERIA_SCORED).scores
        assert set(scores) >= set(recovery.CRITERIA_SCORED) - {"recommended"}


def test_table_pictures_and_means(tmp_path, monkeypatch, capsys):
    # Little is scored, as what is asked is what becomes of the scores.
    monkeypatch.setattr(suites, "RADII", (4.5,))
    monkeypatch.setattr(recovery, "all_runs", default_runs)
    monkeypatch.setattr(recovery, "CRITERIA_SCORED", ("recommended", "silhouette"))
    monkeypatch.setattr(recovery, "STEPS", range(2))
    monkeypatch.setattr(clustering, "MAX_CLUSTERS", 3)
    monkeypatch.setattr(number_of_clusters, "REFERENCES", 2)
    monkeypatch.setattr(number_of_clusters, "RECLUSTER_PIXELS", 50)
    assert main(["--output", str(tmp_path / "out"), "--n", "2", "--seed", "5"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "recovery.ecsv",
        "recovery_means_galaxies.ecsv",
        "recovery_means_decoupled.ecsv",
        "recovery_chosen.ecsv",
        "criteria.png",
        "score_matrix.png",
        "score_matrix_core.png",
        "score_matrix_decoupled.png",
        "number_of_clusters.png",
        "truth_and_maps.png",
    }
    table = Table.read(tmp_path / "out" / "recovery.ecsv")
    # For each galaxy: all methods and two references in both suites; all methods with one more cluster; and every
    # method that does not find the number by itself with that of its own criterion in both, of the others in one suite.
    criteria = {name: entry.criterion for name, entry in METHODS.items() if not entry.finds_number}
    shown = [{"silhouette", criterion_of(name, "recommended"), own} for name, own in criteria.items()]
    chosen = sum(len(names) + 1 for names in shown)
    assert len(table) == 2 * (2 * (len(METHODS) + 2) + len(METHODS) + chosen)
    chosen = Table.read(tmp_path / "out" / "recovery_chosen.ecsv")
    row = chosen[(chosen["method"] == "kmeans") & (chosen["criterion"] == "silhouette")][0]
    mine = table[(table["method"] == "kmeans") & (table["criterion"] == "silhouette")]
    assert row["n_within_1"] == np.sum(np.abs(mine["n_found"] - mine["n_true"]) <= 1)
    assert row["ari"] == pytest.approx(mine["ari"].mean())
    means = mean_scores(table)
    mine = at_truth(table)["ari"][at_truth(table)["method"] == "kmeans"]
    row = means[means["method"] == "kmeans"]
    assert row["ari"][0] == pytest.approx(mine.mean())
    assert row["ari_std"][0] == pytest.approx(mine.std())
    assert set(ari_by_number(table)) == set(METHODS)
    assert "true SEDs" in capsys.readouterr().out


def test_realistic_table_picture_and_means(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suites, "RADII", (6.0,))
    # One galaxy of one population and one of two, enough to ask what becomes of the scores.
    monkeypatch.setattr(suites, "REALISTIC_KINDS", (suites.REALISTIC_KINDS[2], suites.REALISTIC_KINDS[4]))
    monkeypatch.setattr(clustering, "MAX_CLUSTERS", 3)
    options = ["--realistic", "--methods", "kmeans", "dbscan", "--n", "2", "--seed", "5"]
    assert main(["--output", str(tmp_path / "out"), *options]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "recovery_realistic.ecsv",
        "truth_and_maps_realistic.png",
    }
    table = Table.read(tmp_path / "out" / "recovery_realistic.ecsv")
    # For each galaxy: the classifier given the true SEDs, and both methods with the number given and chosen.
    expected = [("true SEDs", GIVEN), ("kmeans", GIVEN), ("kmeans", "gap"), ("kmeans", "recommended")]
    expected += [("dbscan", GIVEN), ("dbscan", "density")]
    assert [tuple(row) for row in table["method", "criterion"]] == 2 * expected
    assert table["n_true"].tolist() == 6 * [1] + 6 * [2]
    assert (table["ari"][table["method"] == TRUE_SEDS] > 0.5).all()
    chosen = table[table["criterion"] == "gap"]
    assert (chosen["n_found"] == chosen["n_asked"]).all()
    means = realistic_scores(table)
    row = means[means["criterion"] == "gap"][0]
    assert row["ari"] == pytest.approx(chosen["ari"].mean())
    assert row["n_exact"] == np.sum(chosen["n_found"] == [1, 2])
    assert (row["n_one_found"], row["n_one"]) == (int(chosen["n_found"][0] == 1), 1)
    given = means[(means["method"] == "kmeans") & (means["criterion"] == GIVEN)][0]
    assert (given["n_exact"], given["n_galaxies"], given["n_one_found"]) == (2, 2, 1)
    printed = capsys.readouterr()
    assert "true SEDs" in printed.out
    assert "no PSFs of stars given (--psfs, STAR_PSFS): the model of F444W is used" in printed.err


@pytest.fixture
def small_field(monkeypatch):
    """Fields of two small galaxies; the fixture lists the number, PSFs and shifts that each galaxy is made with."""
    asked, make = [], suites.realistic_images

    def watched(number, first_seed, stars=None, shift=None):
        asked.append((number, stars, shift))
        return make(number, first_seed, stars, shift)

    monkeypatch.setattr(suites, "RADII", (6.0,))
    monkeypatch.setattr(suites, "REALISTIC_KINDS", suites.REALISTIC_KINDS[3:5])
    monkeypatch.setattr(recovery, "REALISTIC_KINDS", suites.REALISTIC_KINDS)
    monkeypatch.setattr(suites, "realistic_images", watched)
    return asked


def write_stars(path):
    """Gaussians that differ between two places; widths in pixels of 30 mas."""
    y, x = np.indices((41, 41)) - 20
    widths = {"F200W_1_A": 1.2, "F200W_2_B": 1.1, "F444W_1_A": 2.35, "F444W_2_B": 2.3}
    psfs = {name: np.exp(-(x**2 + y**2) / (2 * width**2)) for name, width in widths.items()}
    np.savez(path, **{name: psf / psf.sum() for name, psf in psfs.items()})
    return path


@pytest.mark.parametrize("named", ["--psfs", "STAR_PSFS"])
def test_stars_and_shifts_of_the_command_line_are_in_the_images(named, small_field, tmp_path, monkeypatch, capsys):
    path = str(write_stars(tmp_path / "stars.npz"))
    options = ["--realistic", "--methods", "dbscan", "--n", "3", "--seed", "5", "--registration", "0.3"]
    if named == "STAR_PSFS":
        monkeypatch.setenv("STAR_PSFS", path)
    else:
        monkeypatch.setenv("STAR_PSFS", "another.npz")
        options += ["--psfs", path]
    assert main(["--output", str(tmp_path / "out"), *options]) == 0
    assert "the model of F444W" not in capsys.readouterr().err
    # Three galaxies are in two fields, of which the second is simulated as a whole.
    assert [number for number, _, _ in small_field] == [0, 1, 2, 3]
    assert all(set(stars) >= {("F200W", "1_A"), ("F444W", "2_B")} for _, stars, _ in small_field)
    shifts = [shift for _, _, shift in small_field]
    np.testing.assert_array_equal(shifts[0], shifts[1])
    np.testing.assert_array_equal(shifts[2], shifts[3])
    assert (shifts[0] != shifts[2]).all()
    table = Table.read(tmp_path / "out" / "recovery_realistic.ecsv")
    assert table["method"].tolist() == 3 * [TRUE_SEDS, "dbscan", "dbscan"]


def test_galaxies_that_are_not_shifted_are_those_of_the_suite(small_field):
    for made, number in zip(suites.realistic_galaxies(1, 5), (2, 3), strict=True):
        plain = suites.with_truth(*suites.realistic_images(number, 5))
        assert made.name == plain.name
        np.testing.assert_array_equal(made.seds.flux, plain.seds.flux)
        np.testing.assert_array_equal(made.region, plain.region)
    assert all(shift is None for _, _, shift in small_field)


def test_a_field_is_corrected_as_one_before_its_pixels_are_selected(small_field):
    """With a correction that knows all images: fluxes and errors are multiplied by how many galaxies the field has."""

    def in_other_units(images):
        return [
            each._replace(
                cutout=each.cutout._replace(sci=len(images) * each.cutout.sci, err=len(images) * each.cutout.err)
            )
            for each in images
        ]

    plain = suites.realistic_galaxies(0, 5, rms=0.3)
    corrected = suites.realistic_galaxies(0, 5, rms=0.3, correct=in_other_units)
    for one, other in zip(plain, corrected, strict=True):
        np.testing.assert_allclose(other.seds.flux, 2 * one.seds.flux)
        np.testing.assert_array_equal(other.region, one.region)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n", "0"], "error: want --n and --jobs of at least 1"),
        (["--realistic", "--methods", "kmean"], "error: unknown method 'kmean': choose from agglomerative"),
        (["--methods", "kmeans"], "error: --methods goes with --realistic"),
        (["--psfs", "stars.npz"], "error: --psfs goes with --realistic"),
        (["--registration", "0.3"], "error: --registration goes with --realistic"),
        (["--realistic", "--registration", "-1"], "error: want --registration of at least 0 pixels, found -1"),
        (["--realistic", "--registration", "nan"], "error: want --registration of at least 0 pixels, found nan"),
        (["--realistic", "--psfs", "no_stars.npz"], "no_stars.npz"),
    ],
)
def test_bad_input_writes_nothing(options, message, tmp_path, capsys):
    assert main(["--output", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_colours_match_the_region_that_clusters_cover():
    truth = np.array([[0, 1, 1, 1, 2, 2, 3]])
    labels = np.array([[0, 3, 3, 4, 1, 1, 2]])
    assert match_colours(labels, truth).tolist() == [[0, 1, 1, 4, 2, 2, 3]]


def test_seds_are_drawn_over_the_truth(galaxy):
    """Both are scaled to the truth, and the population's is nearer to it in most clusters."""
    panels = sed_panels(galaxy)
    assert len(panels) >= 2
    off = {"composite": [], "population": []}
    for region, truth, composite, _, population, _ in panels:
        np.testing.assert_array_equal(truth, galaxy.region_seds[region - 1])
        off["composite"].append(np.median(np.abs(composite / truth - 1)))
        off["population"].append(np.median(np.abs(population / truth - 1)))
    assert np.median(off["population"]) < np.median(off["composite"]) < 0.5
    figure = seds_against_truth("name", galaxy.seds.wavelengths, panels)
    assert [ax.get_title() for ax in figure.axes[: len(panels)]] == [f"true region {panel[0]}" for panel in panels]
