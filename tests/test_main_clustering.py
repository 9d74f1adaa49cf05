"""The main job, end to end, on the planted field."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from conftest import BANDS, BLUE, RED, blur_and_move, celestial_wcs, image_path, plant
from sklearn.metrics import adjusted_rand_score

import data_paths
import main_clustering
from helper_functions import number_of_clusters
from helper_functions.clustering import cluster_pixels
from helper_functions.methods import METHODS
from helper_functions.methods.method import MethodResult
from helper_functions.number_of_clusters import AS_RECOMMENDED
from helper_functions.number_of_clusters import CRITERIA as REGISTERED
from helper_functions.pixel_seds import extract_seds
from helper_functions.products import pictures
from helper_functions.products.labels import read_labels
from helper_functions.products.photometry import read_photometry
from helper_functions.products.pictures import GALAXY_PICTURES, RUN_PICTURES
from helper_functions.products.pixels import read_cutout
from helper_functions.quality.metrics import QUALITY
from main_clustering import main

CRITERIA = [name for name in REGISTERED if name != AS_RECOMMENDED]


@pytest.fixture
def job(survey_folder, tmp_path, monkeypatch):
    """Run the main job on the planted field with these flags; return exit status and output folder.

    Pictures are drawn and cubes saved where a flag asks for them, pictures coarsely, as what is asked is which there
    are; of the criteria that are only drawn, the slow ones are left out.
    """
    monkeypatch.setattr(main_clustering, "CRITERIA_SHOWN", ["silhouette"], raising=False)
    output = tmp_path / "out"
    always = ["--pictures", "none", "--no-pixel-cubes", "--dpi", "30"]
    always += ["--catalogs", str(survey_folder), "--output", str(output)]

    def run(*flags):
        return main([*always, *map(str, flags)]), output

    return run


def summary_of(output):
    """The summary, by id and run in alphabetical order."""
    return Table.read(output / "summary.ecsv")


def files_of(output):
    """Names of the files that users look at: all but the records."""
    names = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith("records/")}


def test_with_bins_of_the_faint_pixels_totals_are_those_of_the_whole_segment(job, monkeypatch, capsys):
    """Bins are planted, as the code that finds them is free for non-commercial use only: an upper and a lower half."""

    def two_halves(positions, capacity, target, **options):
        return SimpleNamespace(bin_num=(positions[:, 0] > np.median(positions[:, 0])).astype(int))

    flags = ["--ids", 7, "--methods", "blended_mixture", "kmeans", "--n-clusters", 2, "--snr-thresh", 25]
    monkeypatch.setitem(sys.modules, "powerbin", None)
    assert job(*flags, "--bin-snr", 8)[0] == 2  # nothing is started without it
    assert "BIN_SNR needs powerbin" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "powerbin", SimpleNamespace(PowerBin=two_halves))
    monkeypatch.setattr(main_clustering, "quality_metrics", lambda sample, is_first: dict.fromkeys(QUALITY, np.nan))
    status, output = job(*flags, "--bin-snr", 8, "--pixel-cubes")
    assert status == 0
    cutout, mask = read_cutout(output / "pixel_seds/7_pixels.fits")
    segment = cutout.sci[:, cutout.segmap == 7].sum(axis=1)
    catalog = Table.read(output / "field/regions.fits")
    for run, kind in (("blended_mixture", "population"), ("kmeans_contrast", "composite")):
        place = output / "composite_seds" / run
        budget, table = (Table.read(place / f"7_{name}.ecsv") for name in ("flux_budget", f"{kind}_seds"))
        np.testing.assert_allclose(budget["segment"], segment, rtol=1e-5)
        np.testing.assert_allclose(budget["selected"] + budget["bins"], segment, rtol=1e-5)
        whole = np.reshape(table["flux_whole"], (2, -1))
        lost = np.array(budget["unassigned"] + budget["residual"])
        np.testing.assert_allclose(whole.sum(axis=0) + lost, segment, rtol=1e-5)
        assert (table["flux_whole_err"] > table["flux_total_err"]).any()
        rows = catalog[(catalog["run"] == run) & (catalog["kind"] == kind)]
        np.testing.assert_allclose(rows["flux_f444w"], 1e-2 * whole[:, -1], rtol=1e-5)  # 10 nJy in microjansky
        photometry = read_photometry(output, run, 7, f"{kind}s")
        np.testing.assert_allclose(photometry.total, 1e-2 * whole, rtol=1e-5)
        with fits.open(output / "clusters" / run / "7_clusters.fits") as hdus:
            bins, known = hdus["BINS"].data, hdus["BIN_TABLE"].data
            assert ((bins > 0) == ((cutout.segmap == 7) & ~mask)).all()
            assert known["n_pixels"].tolist() == [(bins == number).sum() for number in known["bin"]]
            assert set(known["cluster"]) <= {1, 2}
        read = read_labels(output / "clusters" / run / "7_clusters.fits")
        assert (read.bins == bins).all()
        assert read.bin_table["snr"].tolist() == known["snr"].tolist()
    row = summary_of(output)[0]
    assert "pixels that are not selected, in 2 bins of SNR " in row["message"]


def test_all_methods_leave_their_files(job, capsys):
    status, output = job("--ids", 7, "--n-clusters", 2, "--pictures", "all", "--pixel-cubes")
    assert status == 0
    expected = {"summary.ecsv", "settings.json", "log.txt", "pixel_seds/7_pixels.fits"}
    expected |= {"images/overview/7_overview.png", "images/comparison/7_comparison.png"}
    expected |= {"comparison/7_agreement.ecsv", "comparison/7_consensus.fits"}
    for method in main_clustering.METHODS_TO_RUN:
        run = f"{method}_{METHODS[method].norm}" if METHODS[method].takes_any_norm else method
        expected |= {f"clusters/{run}/7_clusters.{ending}" for ending in ("fits", "reg")}
        expected |= {f"composite_seds/{run}/7_composite_seds.ecsv"}
        expected |= {f"composite_seds/{run}/7_flux_budget.ecsv", f"composite_seds/{run}/7_features.ecsv"}
        expected |= {f"images/{run}/7_cluster_map.png", f"images/{run}/7_composites.png"}
    expected |= {"composite_seds/blended_mixture/7_population_seds.ecsv", "field/regions.fits"}
    assert files_of(output) == expected
    assert "[1/1] 7: 441 pixels; clusters: blended_mixture 2, kmeans_contrast 2," in capsys.readouterr().out
    summary = summary_of(output)
    assert set(summary["status"]) == {"ok"}
    assert set(summary["pictures"]) == {"cluster_map composites"}
    planted = summary[summary["run"] == "blended_mixture"][0]
    # The planted halves are pure, their noise is as the weights say, and brightness does not tell them apart.
    assert planted["reduced_chi2"] == pytest.approx(1, abs=0.1)  # 441 x 4 degrees of freedom: 3%
    assert planted["held_out_error"] == pytest.approx(1, abs=0.15)  # a little more, for what predicts is noisy too
    assert planted["brightness_share"] < 0.05
    assert planted["stability"] > 0.95


def test_the_default_is_the_recommended_method_and_finds_the_number(job, monkeypatch):
    monkeypatch.setattr(main_clustering, "CRITERIA_SHOWN", CRITERIA, raising=False)
    monkeypatch.setattr(number_of_clusters, "REFERENCES", 2)  # of the criteria that are only shown
    monkeypatch.setattr(number_of_clusters, "RECLUSTER_PIXELS", 100)
    monkeypatch.setattr(pictures, "GALAXY_PICTURES", {})  # only those of the run are looked at
    status, output = job("--ids", 7, "--methods", "blended_mixture", "--pictures", "all")
    assert status == 0
    labels, header = fits.getdata(output / "clusters/blended_mixture/7_clusters.fits", header=True)
    assert (header["NCLUST"], header["KCHOICE"], header["KLOW"], header["KHIGH"]) == (2, "tic", 2, 2)
    row = summary_of(output)[0]
    assert (row["k_low"], row["k_high"]) == (2, 2)
    with fits.open(output / "clusters/blended_mixture/7_clusters.fits") as hdus:
        confidence, probability = hdus["CONFIDENCE"].data, hdus["PROBABILITY"].data
        table = Table(hdus["CRITERIA"].data)
    assert probability.shape == (2, *labels.shape)
    selected = labels > 0
    assert (np.isfinite(confidence) == (labels != 0)).all()
    rows, cols = np.nonzero(selected)
    np.testing.assert_allclose(probability[labels[selected] - 1, rows, cols], confidence[selected])
    assert table["n_clusters"].tolist() == list(range(1, 11))
    assert np.argmax(table["tic"]) == 1
    assert set(table.colnames) == {"n_clusters", *CRITERIA, *(f"{name}_error" for name in CRITERIA)}
    assert (output / "images/blended_mixture/7_number_of_clusters.png").exists()


def test_other_methods_take_the_number_of_the_recommended_run(job, monkeypatch, capsys):
    """It is found once for a galaxy, or not at all where that run is there, whatever the order of the methods."""
    asked, find = [], main_clustering.recommended_scores
    monkeypatch.setattr(main_clustering, "recommended_scores", lambda *how: asked.append(how) or find(*how))
    flags = ("--no-explorer", "--ids", 7, "--methods", "kmeans", "agglomerative")
    _, output = job(*flags)
    assert len(asked) == 1
    assert summary_of(output)["k_choice"].tolist() == 2 * ["recommended"]
    assert summary_of(output)["n_clusters"].tolist() == [2, 2]
    assert "number of clusters chosen by blended_mixture" in capsys.readouterr().out
    assert not list(output.rglob("*blended*"))
    labels = output / "clusters/kmeans_contrast/7_clusters.fits"
    assert fits.getheader(labels)["KCHOICE"] == "recommended"
    first = labels.stat().st_mtime_ns
    job(*flags[:-1], "blended_mixture", "--seed", 1)  # another recommended run
    assert labels.stat().st_mtime_ns > first
    assert len(asked) == 1  # the one of the first call
    written = {path.parent.name: path.stat().st_mtime_ns for path in (output / "clusters").glob("*/7_clusters.fits")}
    assert sorted(written, key=written.get) == ["agglomerative_contrast", "blended_mixture", "kmeans_contrast"]


def test_comparisons_are_drawn_once_and_removed_with_their_pixels(job, monkeypatch, capsys):
    flags = ("--no-explorer", "--ids", 7, "--methods", "kmeans", "--n-clusters", 2)
    compare = ("--compare", "number", "--compare-method", "kmeans")
    _, output = job(*flags, *compare)
    picture = output / "images/compare_number/7_kmeans.png"
    assert picture.exists()
    with monkeypatch.context() as patch:
        patch.setattr(main_clustering, "cluster_galaxy", None)  # all is there
        assert job(*flags, *compare)[0] == 0
    assert summary_of(output)["run"].tolist() == ["kmeans_contrast"]
    job(*flags, "--snr-thresh", 9)
    assert not picture.exists()
    assert job("--ids", 7, "--compare", "norms", "--compare-method", "blended_mixture")[0] == 2
    assert "blended_mixture always uses its own norm and metric" in capsys.readouterr().err


def test_another_criterion_can_choose(job):
    _, output = job("--ids", 7, "--methods", "kmeans", "--criterion", "silhouette")
    row = summary_of(output)[0]
    assert (row["n_clusters"], row["k_choice"]) == (2, "silhouette")


def test_labels_are_the_planted_halves_in_the_mosaics_frame(job):
    _, output = job("--ids", 7, "--methods", "kmeans", "--n-clusters", 2)
    labels, header = fits.getdata(output / "clusters/kmeans_contrast/7_clusters.fits", header=True)
    _, kind, _ = plant()
    y, x = np.nonzero(labels > 0)
    # From label pixel to sky to mosaic pixel: the WCS of both must agree.
    columns, rows = celestial_wcs().wcs_world2pix(*WCS(header).wcs_pix2world(x, y, 0), 0)
    truth = kind[np.rint(rows).astype(int), np.rint(columns).astype(int)]
    assert adjusted_rand_score(truth, labels[y, x]) == 1
    cards = {"IDDR3": 7, "METHOD": "kmeans", "NORM": "contrast", "METRIC": "euclidean", "NCLUST": 2, "KCHOICE": "given"}
    assert {card: header[card] for card in cards} == cards
    assert (header["SNRTHR"], header["SEED"]) == (3.0, 0)
    similarity = fits.getdata(output / "clusters/kmeans_contrast/7_clusters.fits", "SIMILARITY")
    assert (np.isfinite(similarity) == (labels > 0)).all()


def test_composites_are_the_planted_shapes(job):
    _, output = job("--ids", 7, "--methods", "kmeans", "--n-clusters", 2)
    table = Table.read(output / "composite_seds/kmeans_contrast/7_composite_seds.ecsv")
    for cluster in (1, 2):
        rows = table[table["cluster"] == cluster]
        assert tuple(rows["band"]) == BANDS
        flux = np.array(rows["flux"])
        match = [flux @ shape / np.linalg.norm(flux) / np.linalg.norm(shape) for shape in (RED, BLUE)]
        assert max(match) > 0.9999  # 180 pixels of SNR 10 and more: 0.5% in each band
    assert np.array(table["wave_rest"]) == pytest.approx(np.array(table["wave_obs"]) / 3)


def test_pixels_file_is_enough_to_cluster_again(job):
    _, output = job("--ids", 7, "--methods", "agglomerative", "--n-clusters", 4, "--pixel-cubes")
    cutout, mask = read_cutout(output / "pixel_seds/7_pixels.fits")
    seds = extract_seds(cutout, mask)
    again = cluster_pixels(seds, method="agglomerative", n_clusters=4, seed=0).labels
    labels = fits.getdata(output / "clusters/agglomerative_contrast/7_clusters.fits")
    assert (labels[seds.rows, seds.cols] == again).all()


def test_some_galaxies_fail_and_the_others_go_on(job, capsys):
    status, output = job("--ids", 99, 13, 10, 12, 7, "--methods", "kmeans", "--n-clusters", 4)
    assert status == 1
    rows = {row["id_dr3"]: row for row in summary_of(output)}
    assert {id_dr3: row["status"] for id_dr3, row in rows.items()} == {
        99: "not found",
        13: "not found",
        10: "no pixels",
        12: "too few pixels",
        7: "ok",
    }
    assert rows[13]["message"] == "id 13 is in the catalog but has no pixel in the segmap"
    assert rows[10]["message"].startswith("0 of 81 pixels exceed a median SNR of 3: the highest has ")
    assert rows[12]["message"] == "3 pixels are fewer than the 4 clusters asked for"
    assert not any("/10_c" in name or "/12_c" in name for name in files_of(output))  # no empty clusters or pictures
    assert "Traceback" not in capsys.readouterr().err


def test_galaxies_without_pixels_alone_are_no_failure(job):
    assert job("--ids", 10, 12, "--methods", "kmeans")[0] == 0


def test_a_crash_in_one_run_is_told_and_costs_no_other(job, monkeypatch, capsys):
    def crash(distances, n_clusters, seed):
        raise ZeroDivisionError("out of the blue")

    monkeypatch.setitem(METHODS, "spectral", METHODS["spectral"]._replace(label_several=crash))
    status, output = job("--ids", 7, "--n-clusters", 2, "--methods", "spectral", "kmeans")
    assert status == 1
    assert dict(zip(summary_of(output)["method"], summary_of(output)["status"], strict=True)) == {
        "spectral": "failed",
        "kmeans": "ok",
    }
    assert "ZeroDivisionError: out of the blue" in capsys.readouterr().err


def test_refused_pairs_are_in_the_summary(job):
    status, output = job(
        "--ids", 7, "--n-clusters", 2, "--methods", "kmeans", "spectral_cross_cor", "--metric", "weightednorm"
    )
    assert status == 1
    assert set(summary_of(output)["status"]) == {"ok", "refused"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--methods", "kmeen"], "error: unknown method 'kmeen': choose from agglomerative, blended_mixture"),
        (["--norm", "l2"], "error: unknown norm 'l2': choose from none, L2, sed, pca, ratios, contrast"),
        (["--metric", "cosine"], "error: unknown metric 'cosine': choose from euclidean, crosscor, weightednorm"),
        (["--n-clusters", "x"], "error: n_clusters must be a whole number"),
        (["--catalogs", "nowhere"], "nowhere does not exist: set CATALOGS_FOLDER"),
    ],
)
def test_what_cannot_start_writes_nothing(job, flags, message, capsys):
    status, output = job("--ids", 7, *flags)
    assert status == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_unwritable_output_is_an_error(survey_folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["--catalogs", str(survey_folder), "--output", str(tmp_path / "file/out"), "--ids", "7"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_what_is_there_is_not_done_again(job, survey_folder, monkeypatch):
    flags = ["--ids", 7, "--n-clusters", 2, "--methods", "kmeans", "agglomerative", "--pictures", "few"]
    _, output = job(*flags)

    def times():
        return {name: (output / name).stat().st_mtime_ns for name in files_of(output) if "_contrast/" in name}

    first = times()
    job(*flags)
    assert times() == first
    picture, labels = "images/agglomerative_contrast/7_cluster_map.png", "clusters/kmeans_contrast/7_clusters.fits"
    comparison = output / "images/comparison/7_comparison.png"
    for lost in (output / picture, output / labels, comparison):  # as after a kill
        lost.unlink()
    job(*flags)
    redone = {name for name, time in times().items() if time != first[name]}
    again = {name for name in redone if "/agglomerative" in name}
    assert again == {picture}  # it needs no clustering
    assert redone - again == {name for name in first if "/kmeans" in name}
    assert comparison.exists()
    second = times()
    comparison.unlink()
    job(*flags)
    assert comparison.exists()
    assert times() == second
    job(*flags, "--overwrite")
    assert all(time > second[name] for name, time in times().items())


def test_a_later_call_exports_what_is_there_and_an_export_that_fails_costs_nothing(job, monkeypatch, capsys):
    flags = ("--ids", 7, "--methods", "kmeans", "--n-clusters", 2)
    job(*flags)
    monkeypatch.setattr(main_clustering, "cluster_pixels", None)  # nothing is clustered from here on
    status, output = job(*flags, "--export", "eazy", "prospector", "--error-floor", 0.05)
    assert status == 0
    assert {path.parent.parent.name for path in output.rglob("7_composites_total.*")} == {"eazy", "prospector"}

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("helper_functions.job.one_galaxy.write_exports", full)
    assert job(*flags, "--export", "bagpipes")[0] == 1
    assert "no space left" in capsys.readouterr().out
    assert summary_of(output)["status"].tolist() == ["ok"]
    assert job(*flags, "--export", "fastt")[0] == 2
    assert "unknown code to export for 'fastt': choose from bagpipes, eazy, prospector" in capsys.readouterr().err


def test_a_later_run_takes_the_regions_that_are_there_and_joins_them_on_the_page(job, monkeypatch):
    page, shown = GALAXY_PICTURES["comparison"], []

    def look(result):
        shown.append([panel.title.split(",")[0] for panel in result.panels])
        return page.draw(result)

    def regions_of(run):
        return fits.getdata(output / f"clusters/{run}_contrast/7_clusters.fits", "REGIONS")["region"].tolist()

    monkeypatch.setitem(GALAXY_PICTURES, "comparison", page._replace(draw=look))
    flags = ["--pictures", "few", "--ids", 7, "--n-clusters", 2, "--methods"]
    with monkeypatch.context() as patch:
        patch.setattr("helper_functions.job.one_galaxy.match_regions", lambda *_: np.array([5, 2]))
        _, output = job(*flags, "kmeans")
    kmeans = output / "clusters/kmeans_contrast/7_clusters.fits"
    written = kmeans.stat().st_mtime_ns
    job(*flags, "agglomerative")  # finds the same planted halves
    assert shown == [["kmeans"], ["agglomerative", "kmeans"]]
    assert regions_of("agglomerative") == [5, 2]
    assert kmeans.stat().st_mtime_ns == written
    table = Table.read(output / "comparison/7_agreement.ecsv")
    assert [tuple(row) for row in table] == [("agglomerative_contrast", 1.0, 1.0), ("kmeans_contrast", 1.0, 1.0)]
    assert set(fits.getdata(output / "comparison/7_consensus.fits").ravel()) == {0, 2, 5}
    job(*flags, "kmeans", "--overwrite")
    assert regions_of("kmeans") == [5, 2]


def test_other_settings_or_files_do_it_again(job, survey_folder):
    _, output = job("--ids", 7, "--n-clusters", 2, "--methods", "kmeans")
    path = output / "clusters/kmeans_contrast/7_clusters.fits"
    job("--ids", 7, "--methods", "kmeans", "--n-clusters", 3)
    assert fits.getheader(path)["NCLUST"] == 3
    before = path.stat().st_mtime_ns
    image = image_path(survey_folder, "f444w")
    shutil.copy(image, image.with_suffix(".new"))
    image.with_suffix(".new").rename(image)
    job("--ids", 7, "--methods", "kmeans", "--n-clusters", 3)
    assert path.stat().st_mtime_ns > before


def test_summary_keeps_earlier_galaxies(job):
    job("--ids", 7, "--n-clusters", 2, "--methods", "kmeans")
    _, output = job("--ids", 11, "--n-clusters", 2, "--methods", "kmeans", "dbscan")
    names = [(row["id_dr3"], row["run"]) for row in summary_of(output)]
    assert names == [(7, "kmeans_contrast"), (11, "dbscan_sed"), (11, "kmeans_contrast")]


def test_jobs_give_the_same_as_one_process(job, survey_folder, tmp_path):
    """Labels, and the registration that was measured: a band lies off."""
    blur_and_move(survey_folder, {"f277w": (0.6, -0.4)})
    flags = ["--ids", 7, 11, "--methods", "kmeans", "--n-clusters", 2, "--registration", "measured", "--pixel-cubes"]
    _, output = job(*flags)
    output.rename(tmp_path / "alone")
    status, output = job(*flags, "--jobs", 2)
    assert status == 0
    paths = [tmp_path / "alone" / name for name in files_of(tmp_path / "alone") if name.endswith("_clusters.fits")]
    assert len(paths) == 2
    for path in paths:
        together = output / path.relative_to(tmp_path / "alone")
        assert (fits.getdata(path) == fits.getdata(together)).all()
    for id_dr3 in (7, 11):
        first, second = (
            read_cutout(each / f"pixel_seds/{id_dr3}_pixels.fits")[0] for each in (paths[0].parents[2], output)
        )
        assert first.registration.to_correct.tolist() == [band == "f277w" for band in BANDS]
        assert (first.registration.shift == second.registration.shift).all()
        np.testing.assert_array_equal(first.sci, second.sci)


def test_neighbours_taken_in_are_saved(job, monkeypatch):
    monkeypatch.setattr(main_clustering, "INCLUDE_NEIGHBOURS", True)
    _, output = job("--ids", 7, "--n-clusters", 2, "--methods", "kmeans", "--pixel-cubes")
    assert summary_of(output)["neighbours"][0] == "8"
    assert fits.getheader(output / "pixel_seds/7_pixels.fits")["MEMBERS"] == "7 8"


@pytest.mark.usefixtures("no_photons")
def test_dropped_bands_are_named(job, survey_folder):
    path = image_path(survey_folder, "f814w", "wht")
    data, header = fits.getdata(path, header=True)
    fits.PrimaryHDU(0 * data, header).writeto(path, overwrite=True)
    _, output = job("--ids", 7, "--methods", "kmeans", "--n-clusters", 2)
    assert summary_of(output)["message"][0] == "no data here in f814w"
    assert len(Table.read(output / "composite_seds/kmeans_contrast/7_composite_seds.ecsv")) == 2 * 5


def test_dbscan_without_clusters_leaves_a_map_and_no_composites(job, monkeypatch):
    def none_found(distances, n_clusters, seed):
        return MethodResult(np.full(len(distances), -1))

    monkeypatch.setitem(METHODS, "dbscan", METHODS["dbscan"]._replace(label=none_found))
    status, output = job("--ids", 7, "--methods", "dbscan", "--pictures", "all")
    assert status == 0
    assert (summary_of(output)["n_clusters"][0], summary_of(output)["n_unassigned"][0]) == (0, 441)
    assert "images/dbscan_sed/7_composites.png" not in files_of(output)
    before = (output / "clusters/dbscan_sed/7_clusters.fits").stat().st_mtime_ns
    job("--ids", 7, "--methods", "dbscan", "--pictures", "all")  # nothing is missing
    assert (output / "clusters/dbscan_sed/7_clusters.fits").stat().st_mtime_ns == before


def test_pdf_is_a_setting(job, monkeypatch):
    monkeypatch.setattr(main_clustering, "FIGURE_FORMAT", "pdf")
    _, output = job("--ids", 7, "--n-clusters", 2, "--methods", "kmeans", "--pictures", "few")
    assert (output / "images/kmeans_contrast/7_cluster_map.pdf").read_bytes().startswith(b"%PDF")


def test_settings_are_saved(job):
    _, output = job("--ids", 7, "--n-clusters", 2, "--methods", "kmeans", "--snr-thresh", 5)
    saved = json.loads((output / "settings.json").read_text())
    assert saved["settings"]["snr_thresh"] == 5.0
    assert set(saved["versions"]) >= {"python", "numpy", "scikit-learn"}


def test_folders_come_from_the_environment(survey_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("UNCOVER_CATALOGS_FOLDER", str(survey_folder))
    monkeypatch.setenv("UNCOVER_CLUSTERING_FOLDER", str(tmp_path / "elsewhere"))
    assert main(["--ids", "7", "--n-clusters", "2", "--methods", "kmeans", "--pictures", "none"]) == 0
    assert (tmp_path / "elsewhere/summary.ecsv").exists()
    assert data_paths.catalogs_folder() == survey_folder


def test_features_leave_a_picture_of_their_weights(job, monkeypatch):
    monkeypatch.setattr(main_clustering, "FEATURES", ["balmer_break", "halpha"], raising=False)
    flags = ["--ids", 7, "--methods", "kmeans", "--metric", "features", "--n-clusters", 2, "--pictures", "all"]
    status, output = job(*flags)
    assert status == 0
    assert "images/kmeans_contrast_features/7_feature_weights.png" in files_of(output)


@pytest.mark.usefixtures("no_photons")
def test_weights_are_those_of_the_bands_clustered_with(job, survey_folder, monkeypatch):
    path = image_path(survey_folder, "f200w", "wht")
    weight, header = fits.getdata(path, header=True)
    weight[:, :40] = 0  # half of galaxy 7: too little to cluster with, though the other half has data
    fits.PrimaryHDU(weight, header).writeto(path, overwrite=True)
    picture, shown = RUN_PICTURES["feature_weights"], []

    def look(result):
        shown.extend(result.band_weights.bands)
        return picture.draw(result)

    monkeypatch.setitem(RUN_PICTURES, "feature_weights", picture._replace(draw=look))
    flags = ["--methods", "kmeans", "--metric", "features", "--n-clusters", 2, "--pictures", "all"]
    _, output = job("--ids", 7, *flags)
    assert summary_of(output)["message"][0].endswith("; too little data to cluster with in f200w")
    assert shown == ["f606w", "f814w", "f115w", "f277w", "f444w"]


def test_a_feature_that_no_band_covers_is_told(job, monkeypatch, capsys):
    monkeypatch.setattr(
        main_clustering, "FEATURES", ["paschen"], raising=False
    )  # at z = 2 beyond 3.2 micron: between the bands
    status, output = job("--ids", 7, "--methods", "kmeans", "--metric", "features")
    assert status == 1
    assert summary_of(output)["status"][0] == "not covered"
    assert "no band covers paschen at redshift 2.000" in summary_of(output)["message"][0]
    monkeypatch.setattr(main_clustering, "FEATURES", ["lyman"], raising=False)
    assert job("--ids", 7, "--methods", "kmeans")[0] == 2
    assert "unknown feature 'lyman': choose from uv_slope" in capsys.readouterr().err


@pytest.mark.usefixtures("no_photons")
def test_the_summary_says_what_the_memory_limit_changed(job, monkeypatch):
    monkeypatch.setattr(main_clustering, "MEMORY_LIMIT", 1e-6, raising=False)
    _, output = job("--ids", 7, "--methods", "agglomerative", "kmeans", "--n-clusters", 2)
    messages = list(summary_of(output)["message"].filled(""))
    assert messages == ["many pixels: Ward on 2000 k-means clusters", ""]


def test_a_threshold_in_a_band_that_the_survey_does_not_have_is_refused_at_the_start(job, capsys):
    status, output = job("--ids", 7, "--snr-bands", "f999w=5")
    assert status == 2
    assert "error: unknown band in snr_bands 'f999w': choose from f606w, f814w" in capsys.readouterr().err
    assert not output.exists()
