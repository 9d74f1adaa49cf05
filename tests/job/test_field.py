from functools import cache

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from conftest import celestial_wcs, pixel_seds
from matplotlib.backends.backend_agg import FigureCanvasAgg

from data_paths import output_path
from helper_functions.composite_seds import SYSTEMATIC, composite_seds
from helper_functions.files.records import save_record
from helper_functions.files.saving import save_table
from helper_functions.job import field
from helper_functions.job.field import FIELD_PICTURES, summarize_field, update_field
from helper_functions.population_seds import PopulationSEDs
from helper_functions.products import region_catalog
from helper_functions.products.region_rows import read_strings
from helper_functions.products.runs import Run
from helper_functions.products.sed_tables import composite_table, population_table
from helper_functions.products.summary import OK, Summary, failed_row
from plots.field import FEW, NAMED
from plots.style import new_figure

KMEANS, BLENDED = RUNS = Run("kmeans", "L2", "euclidean"), Run("blended_mixture", "none", "noise")
SHORT, LONG = ("f606w", "f115w", "f444w"), ("f444w", "f814w")  # not in the order of wavelengths
WAVES = {"f606w": 5919.0, "f814w": 8060.0, "f115w": 11541.0, "f444w": 44017.0}


def row_of(id_dr3, run=KMEANS, **values):
    return failed_row(id_dr3, run, "", OK) | {"n_clusters": 2, "n_pixels": 80} | values


@cache
def tables_of(bands):
    """Tables of composites and of populations of two clusters of 40 pixels each; populations have 3 times the light."""
    flux = np.outer(np.linspace(0.5, 1.5, 80), 1 + np.arange(len(bands)))
    waves = np.array([WAVES[band] for band in bands])
    seds = pixel_seds(flux, np.full(flux.shape, 0.1), waves, bands=bands, redshift=1.0)
    found = composite_seds(seds, np.repeat([1, 2], 40))
    fields = {name: getattr(found, name, None) for name in PopulationSEDs._fields}
    fields |= {"total": 3 * found.total, "n_pixels": np.array([40, 40])}
    fields |= {"purity_low": np.ones(2), "alone": np.ones(2), "psf_width": 1.0, "distinct": 0.8, "most_mixed": (1, 2)}
    return composite_table(found, seds, celestial_wcs(), 9.6), population_table(PopulationSEDs(**fields), seds, 9.6)


def plant(output, id_dr3, bands, run=KMEANS, populations=False, **values):
    """Leave the tables of a run and its record; return the table of composites."""
    composites, shared = tables_of(bands)
    tables = {"composites": composites} | ({"populations": shared} if populations else {})
    for name, content in tables.items():
        save_table(output_path(output, name, run=run.name, id=id_dr3), content)
    save_record(output, id_dr3, run.name, row=row_of(id_dr3, run, **values))
    return composites


def update(output):
    update_field(output, Summary(output).rows())


def regions(output):
    """The table on disk; it must be FITS to the letter."""
    path = output_path(output, "regions")
    with fits.open(path) as hdus:
        hdus.verify("exception")
    return Table.read(path)


def test_galaxies_of_different_bands_share_one_table(tmp_path):
    """By hand: totals of the tables in microjansky, bands by wavelength, and NaN where a galaxy has no such band."""
    first = plant(tmp_path, 7, SHORT, snr_median=5.5)
    plant(tmp_path, 8, LONG, BLENDED, populations=True, k_low=2, k_high=3)
    save_record(tmp_path, 9, KMEANS.name, row=row_of(9) | {"status": "no pixels"})
    update(tmp_path)
    table = regions(tmp_path)
    assert table["id_dr3"].tolist() == [7, 7, 8, 8, 8, 8]
    assert table["kind"].tolist() == ["composite"] * 2 + ["population"] * 2 + ["composite"] * 2
    assert table["cluster"].tolist() == [1, 2] * 3
    assert [name for name in table.colnames if "flux_" in name] == [f"flux_{band}" for band in WAVES]
    expected = first["flux_total"].quantity.to_value(u.uJy).reshape(2, 3)
    found = np.transpose([table[f"flux_{band}"][:2] for band in SHORT])
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # single precision
    errors = first["flux_total_err"].quantity.to_value(u.uJy).reshape(2, 3)
    np.testing.assert_allclose(table["err_f115w"][:2], errors[:, 1], rtol=1e-6)
    assert np.isnan(np.ma.filled(table["flux_f115w"][2:], np.nan)).all()
    np.testing.assert_allclose(table["flux_f814w"][2:4], 3 * table["flux_f814w"][4:], rtol=1e-6)
    np.testing.assert_allclose(table["ra"][:2], first["ra"][::3], rtol=0)
    assert (table["ra"][2:4] == table["ra"][4:]).all()  # a population has the place of its cluster
    assert table["snr_median"][0] == 5.5
    assert (table["k_high"].tolist(), table["n_pixels"].tolist()) == ([0, 0, 3, 3, 3, 3], [40] * 6)
    assert table["n_bands"].tolist() == [3, 3, 2, 2, 2, 2]


def test_columns_say_what_they_are(tmp_path):
    plant(tmp_path, 7, SHORT)
    update(tmp_path)
    table, header = regions(tmp_path), fits.getheader(output_path(tmp_path, "regions"), 1)
    assert all(header[f"TCOMM{number}"] for number in range(1, len(table.colnames) + 1))
    assert {"recommended", "method", "norm", "metric"} < set(table.colnames)
    number = table.colnames.index("err_f444w") + 1
    assert (header[f"TUNIT{number}"], header[f"TUCD{number}"]) == ("uJy", "stat.error;phot.flux.density;em.IR.4-8um")
    assert header[f"TCOMM{number}"].startswith("at 44017 Angstrom")
    assert header["SYSERR"] == SYSTEMATIC


def test_features_and_fits_are_joined_where_they_are(tmp_path):
    """A value goes to the row of its cluster and kind; a table that names no kind is of the populations."""
    plant(tmp_path, 7, SHORT)
    plant(tmp_path, 8, LONG, BLENDED, populations=True)
    features = Table({"cluster": [2, 1, 1], "kind": ["populations", "populations", "composites"]})
    features["beta"], features["beta_flag"] = [-2.0, -1.0, -1.5], ["", "x", ""]
    features["beta"].description, features["ew"] = "UV slope", [np.nan, 5, 6] * u.AA
    path = output_path(tmp_path, "region_features", run=BLENDED.name, id=8)
    features.write(path, format="ascii.ecsv")
    fitted = Table({"cluster": [1, 2], "mass_p50": [9.5, np.nan], "redshift": [1.1, np.nan]})
    fitted["status"], fitted["note"] = ["ok", "not fitted"], ["", "no data"]
    output_path(tmp_path, "fits", run=BLENDED.name, id=8).parent.mkdir(parents=True)
    fitted.write(output_path(tmp_path, "fits", run=BLENDED.name, id=8), format="ascii.ecsv")
    update(tmp_path)
    table = regions(tmp_path)
    nan = np.nan
    expected = {
        "beta": [nan, nan, -1, -2, -1.5, nan],
        "ew": [nan, nan, 5, nan, 6, nan],
        "mass_p50": [nan, nan, 9.5, nan, nan, nan],
        "fits_redshift": [nan, nan, 1.1, nan, nan, nan],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(np.ma.filled(table[name], nan), values, rtol=1e-6)
    assert np.ma.filled(table["fits_status"], "").tolist() == ["", "", "ok", "not fitted", "", ""]
    assert np.ma.filled(table["fits_note"], "").tolist() == ["", "", "", "no data", "", ""]
    plant(tmp_path, 9, LONG)  # what is known of the others is copied, words, too
    update(tmp_path)
    assert np.ma.filled(regions(tmp_path)["fits_status"], "").tolist() == ["", "", "ok", "not fitted"] + [""] * 4
    assert "beta_flag" not in table.colnames
    assert table["ew"].unit == u.AA
    path.unlink()
    update(tmp_path)
    assert not {"beta", "ew"} & set(regions(tmp_path).colnames)


def test_what_did_not_change_is_not_read_again_and_gives_the_same(tmp_path, monkeypatch):
    plant(tmp_path, 7, SHORT)
    plant(tmp_path, 8, LONG)
    update(tmp_path)
    read, read_run_rows = [], region_catalog.read_run_rows
    monkeypatch.setattr(region_catalog, "read_run_rows", lambda *of: read.append(of[2]) or read_run_rows(*of))
    before = output_path(tmp_path, "regions").stat().st_mtime_ns
    update(tmp_path)
    assert (read, output_path(tmp_path, "regions").stat().st_mtime_ns) == ([], before)
    plant(tmp_path, 6, LONG)
    plant(tmp_path, 8, SHORT)
    update(tmp_path)
    assert read == [6, 8]
    step_by_step = output_path(tmp_path, "regions").read_bytes()
    output_path(tmp_path, "field_record").unlink()
    update(tmp_path)
    assert output_path(tmp_path, "regions").read_bytes() == step_by_step


@pytest.mark.parametrize("content", [None, b"", b"cluster band\n1 f444w\n1\n", b"cluster band\n1 f444w\n"])
def test_a_table_that_is_missing_or_damaged_costs_its_run_only(content, tmp_path):
    plant(tmp_path, 7, SHORT)
    plant(tmp_path, 8, LONG)
    path = output_path(tmp_path, "composites", run=KMEANS.name, id=8)
    path.unlink() if content is None else path.write_bytes(content)
    for _ in range(2):  # it is told until it is mended
        with pytest.warns(UserWarning, match=r"1 run is missing in .*regions\.fits.*kmeans_L2 of galaxy 8"):
            update(tmp_path)
    assert set(regions(tmp_path)["id_dr3"]) == {7}
    plant(tmp_path, 8, LONG)
    update(tmp_path)
    assert set(regions(tmp_path)["id_dr3"]) == {7, 8}


def test_where_no_run_has_clusters_there_is_nothing(tmp_path):
    composites = plant(tmp_path, 7, SHORT)
    update(tmp_path)
    save_table(output_path(tmp_path, "composites", run=KMEANS.name, id=7), composites[:0])
    update(tmp_path)
    assert not list((tmp_path / "field").iterdir())
    plant(tmp_path, 7, SHORT)
    update(tmp_path)
    save_record(tmp_path, 7, KMEANS.name, row=row_of(7) | {"status": "no pixels", "n_clusters": 0})
    update(tmp_path)
    assert not list((tmp_path / "field").iterdir())
    update_field(tmp_path / "empty", [])
    assert not (tmp_path / "empty" / "field").exists()


def test_strings_are_read_as_astropy_reads_them(tmp_path):
    plant(tmp_path, 7, SHORT)
    path = output_path(tmp_path, "composites", run=KMEANS.name, id=7)
    table, strings = Table.read(path), read_strings(path)
    assert list(strings) == table.colnames
    for name in table.colnames:
        if table[name].dtype.kind in "if":
            assert (np.array(strings[name], dtype=float) == table[name]).all() or name == "flux_confident"
        else:
            assert list(strings[name]) == np.ma.filled(table[name], "").tolist()


def many(number):
    rng = np.random.default_rng(0)
    known = {"stability": 0.5, "reduced_chi2": 3.0}
    return [
        row_of(n, run, n_clusters=int(k), k_low=1, k_high=int(k) + 1, snr_median=snr, n_pixels=int(50 * snr), **known)
        | {"redshift": z if n % 9 else np.nan}
        for n, k, snr, z in zip(
            range(number), rng.integers(1, 30, number), *rng.uniform(1, 90, (2, number)), strict=True
        )
        for run in (KMEANS, BLENDED)
    ] + [failed_row(-1, KMEANS, "why"), failed_row(-1, BLENDED, "why", "no pixels")]


def test_what_is_drawn_by_hand():
    rows = [row_of(n, run, n_clusters=n, snr_median=float(n)) for n in (1, 2, 20) for run in (KMEANS, BLENDED)]
    found = summarize_field([*rows, row_of(4, KMEANS, status="no pixels", n_clusters=0), failed_row(5, KMEANS, "why")])
    assert found.ids.tolist() == [1, 2, 4, 5, 20]
    assert (found.runs, found.trend_run) == (("blended_mixture", "kmeans_L2"), "blended_mixture")
    assert found.is_last_column_open
    assert found.numbers.sum(axis=1).tolist() == [3, 3]
    assert found.numbers[0, [1, 2, field.MOST]].tolist() == [1, 1, 1]
    assert {status: counts.tolist() for status, counts in found.outcomes.items()} == {
        "ok": [3, 3],
        "no pixels": [0, 1],
        "failed": [0, 1],
    }
    trend = found.trends[0]
    assert trend.ids.tolist() == [1, 2, 20]
    assert found.quality["stability"].shape == (2, 5)
    assert trend.means.tolist() == [[n] * 4 for n in (1.0, 2.0, 20.0)]  # a bin each; without a range, it is the number


@pytest.mark.parametrize("number", [3, NAMED + 5, FEW + 5])
def test_pictures_have_labels_within_the_page(number):
    for picture in FIELD_PICTURES.values():
        figure = picture.draw(summarize_field(many(number)))
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        box = figure.get_tightbbox(renderer)
        assert min(box.x0, box.y0) >= 0
        assert (np.array([box.x1, box.y1]) <= figure.get_size_inches()).all()
        for ax in figure.axes:
            assert ax.get_xlabel() or ax.get_ylabel() or ax.get_title()


def test_of_few_galaxies_each_has_its_name_and_its_colour():
    """Galaxies 1, 2 and 20 have as many clusters; one below the other, equal figures of quality do not hide."""
    rows = [
        row_of(n, run, n_clusters=n, stability=0.5, snr_median=6.0) for n in (1, 2, 20) for run in (KMEANS, BLENDED)
    ]
    numbers = FIELD_PICTURES["runs"].draw(summarize_field(rows)).axes[2]
    assert [label.get_text() for label in numbers.get_yticklabels()] == ["id 1", "id 2", "id 20"]
    np.testing.assert_array_equal(numbers.lines[0].get_xydata(), [(1, 0), (2, 1), (20, 2)])
    quality = FIELD_PICTURES["quality"].draw(summarize_field(rows))
    (panel,) = (ax for ax in quality.axes if ax.get_title() == "stability")
    assert len(np.unique(np.concatenate([each.get_offsets() for each in panel.collections]), axis=0)) == 6
    assert [text.get_text() for text in quality.legends[0].get_texts()] == ["id 1", "id 2", "id 20"]
    assert not FIELD_PICTURES["quality"].draw(summarize_field(many(NAMED + 1))).legends


def test_pictures_are_drawn_from_three_galaxies_on_and_only_when_something_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(field, "update_regions", lambda *_: [])  # there are no tables here
    for name, picture in FIELD_PICTURES.items():
        monkeypatch.setitem(FIELD_PICTURES, name, picture._replace(draw=lambda field: new_figure(1, 1)))
    update_field(tmp_path, many(2), dpi=20)
    paths = [output_path(tmp_path, "field_picture", picture=name, format="png") for name in FIELD_PICTURES]
    assert not any(path.exists() for path in paths)
    update_field(tmp_path, many(3), dpi=20)
    times = [path.stat().st_mtime_ns for path in paths]
    update_field(tmp_path, many(3), dpi=20)
    assert [path.stat().st_mtime_ns for path in paths] == times
    update_field(tmp_path, many(4), dpi=20)
    assert all(path.stat().st_mtime_ns > time for path, time in zip(paths, times, strict=True))


def test_the_command_says_where_there_is_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit):
        field.main([str(tmp_path)])
    assert "holds no results" in capsys.readouterr().err
    plant(tmp_path, 7, SHORT)
    Summary(tmp_path).write()
    assert field.main([str(tmp_path)]) == 0
    assert len(regions(tmp_path)) == 2
