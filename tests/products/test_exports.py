"""Photometry as other codes load it: where they are installed, by loading it with them as the page of products says."""

import re

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from conftest import BANDS

from data_paths import output_path, output_paths
from helper_functions.files.saving import save_table, with_descriptions
from helper_functions.filters import pivot_wavelength
from helper_functions.products.exports import EXPORTS, export_contents, write_exports
from helper_functions.products.sed_tables import SED_COLUMNS
from tests.readme_tables import ROOT

RUN = "blended_mixture"
REGIONS, N_BANDS = 2, len(BANDS)
PER_PIXEL, TOTAL = 0.5, 2.0  # microjansky in every band: AB magnitude 23.9 - 2.5 log10(2) of the total
ERROR, SYSTEMATIC, FLOOR = 0.03, 0.02, 0.1  # shares of the flux
AB = 1e-3  # 3631 Jy is 6e-5 off the definition of AB, and codes integrate curves each in their way


def save_regions(output, kind="populations", redshift=1.0, n_regions=REGIONS):
    """A table of regions of galaxy 36 on disk; the last band has no data, nor has the second of region 2."""
    cluster, band = (each.ravel() for each in np.indices((n_regions, N_BANDS)))
    flux = np.where((band == N_BANDS - 1) | ((cluster == 1) & (band == 1)), np.nan, PER_PIXEL * 100)  # 10 nJy
    columns = {
        "cluster": cluster + 1,
        "band": np.array(BANDS)[band],
        "flux": flux,
        "flux_total": flux * TOTAL / PER_PIXEL,
    }
    columns |= {
        "flux_err": ERROR * flux,
        "flux_sys": SYSTEMATIC * flux,
        "flux_shared": 0 * flux,
        "flux_total_err": ERROR * columns["flux_total"],
    }
    table = with_descriptions(Table(columns, meta={"redshift": redshift}), SED_COLUMNS)
    save_table(output_path(output, kind, run=RUN, id=36), table)


@pytest.fixture
def output(tmp_path, monkeypatch):
    """The output folder of the page's examples, in the working directory."""
    monkeypatch.chdir(tmp_path)
    save_regions(tmp_path / "clustering_output")
    return tmp_path / "clustering_output"


def run_example(code):
    """Names that are there after the page's example for a code."""
    examples = re.findall(
        r"```python\n(.*?)```", (ROOT / "helper_functions/products/README.md").read_text(), flags=re.S
    )
    [example] = [each for each in examples if f"exports/{code}" in each]
    assert len([line for line in example.splitlines() if line]) == 5
    names = {}
    exec(example, names)
    return names


def test_bagpipes_loads_it(output):
    write_exports(output, RUN, 36, ["bagpipes"])
    galaxy = run_example("bagpipes")["galaxy"]
    assert galaxy.ID == "36_populations_total_1"
    wavelengths, flux, error = galaxy.photometry.T
    np.testing.assert_allclose(wavelengths, [pivot_wavelength(band) for band in BANDS], rtol=AB)
    # Flux per wavelength from flux per frequency: 1 microjansky is 1e-29 erg/s/cm2/Hz.
    jansky = (flux * u.erg / u.s / u.cm**2 / u.AA).to_value(u.uJy, u.spectral_density(wavelengths * u.AA))
    np.testing.assert_allclose(jansky[:-1], TOTAL, rtol=AB)
    np.testing.assert_allclose(error[:-1] / flux[:-1], np.hypot(ERROR, SYSTEMATIC))
    assert flux[-1] == 0
    assert 1 / error[-1] ** 2 < 1e-100  # it weighs nothing


@pytest.mark.filterwarnings("ignore")  # it warns of a prior that is not asked for, and that regions have no coordinates
def test_eazy_loads_it_and_fits_it(output, monkeypatch):
    eazy = pytest.importorskip("eazy")
    photoz = pytest.importorskip("eazy.photoz")
    write_exports(output, RUN, 36, ["eazy"])
    folder = output / "exports/eazy" / RUN

    def templates():
        """Instead of eazy's templates, which it downloads, one that is as bright in all bands."""
        for name in ("fsps_full", "uvista_nmf"):
            (folder / "templates" / name).mkdir(parents=True)
        wave = np.geomspace(500, 1e5, 400)
        np.savetxt(folder / "templates/flat.dat", np.c_[wave, (wave / 5000) ** -2])
        (folder / "templates/fsps_full/tweak_fsps_QSF_12_v3.param").write_text("1 templates/flat.dat 1.0\n")
        np.savetxt(folder / "templates/uvista_nmf/template_error_10.def", np.c_[wave, np.full(len(wave), 1e-3)])

    class FewRedshifts(photoz.PhotoZ):
        def __init__(self, *arguments):
            near = {"Z_MIN": 0.98, "Z_MAX": 1.02, "FIX_ZSPEC": "y", "N_MIN_COLORS": 3}
            super().__init__(*arguments, params=near, n_proc=-1)

    monkeypatch.setattr(eazy, "symlink_eazy_inputs", templates)
    monkeypatch.setattr(photoz, "PhotoZ", FewRedshifts)
    loaded = run_example("eazy")["regions"]
    assert loaded.to_uJy == pytest.approx(1)
    assert loaded.OBJID.tolist() == [1, 2]
    assert loaded.ZSPEC.tolist() == [1, 1]
    assert loaded.flux_columns == [f"f_{band}" for band in BANDS]
    np.testing.assert_allclose(loaded.pivot, [pivot_wavelength(band) for band in BANDS], rtol=AB)
    assert [each.sum() for each in ~loaded.ok_data] == [1, 2]
    np.testing.assert_allclose(loaded.fnu[loaded.ok_data], TOTAL, rtol=1e-6)  # single precision
    np.testing.assert_allclose(loaded.efnu[loaded.ok_data], TOTAL * np.hypot(ERROR, SYSTEMATIC), rtol=1e-6)
    loaded.fit_catalog(n_proc=0, verbose=False)
    # The model of all bands, also of those without data, by eazy's integrals over the curves that it was given.
    np.testing.assert_allclose(loaded.fmodel, TOTAL, rtol=1e-2)  # 400 points of the template


def test_prospector_loads_it(output):
    pytest.importorskip("prospect")
    write_exports(output, RUN, 36, ["prospector"])
    obs = run_example("prospector")["obs"]
    assert obs["filternames"] == [
        "acs_wfc_f606w",
        "acs_wfc_f814w",
        "jwst_f115w",
        "jwst_f200w",
        "jwst_f277w",
        "jwst_f444w",
    ]
    np.testing.assert_allclose(obs["maggies"][:-1], 10 ** (-0.4 * (23.9 - 2.5 * np.log10(TOTAL))), rtol=AB)
    np.testing.assert_allclose((obs["maggies_unc"] / obs["maggies"])[:-1], np.hypot(ERROR, SYSTEMATIC))
    assert obs["phot_mask"].tolist() == [True] * (N_BANDS - 1) + [False]
    assert (obs["ndof"], obs["redshift"]) == (N_BANDS - 1, 1)


def tables_of(output, code, name="populations_total"):
    """What an export holds, in microjansky: redshift, and flux and error, (n_regions, n_bands)."""
    folder = output / "exports" / code / RUN
    if code == "eazy":
        table = Table.read(folder / f"36_{name}.cat", format="ascii.commented_header")
        flux, error = (np.stack([table[f"{letter}_{band}"] for band in BANDS], axis=1) for letter in "fe")
        return table["z_spec"][0], flux, error
    table = Table.read(folder / f"36_{name}.ecsv")
    if code == "bagpipes":
        return table["redshift"][0], *np.moveaxis(np.array(table["photometry"]), -1, 0)
    return table["redshift"][0], *(table[each].quantity.to_value(u.uJy) for each in ("maggies", "maggies_unc"))


MISSING = {"bagpipes": (np.nan, 0, 9.9e99), "eazy": (-1, -99, -99), "prospector": (np.nan, np.nan, np.nan)}


@pytest.mark.parametrize("code", EXPORTS)
def test_what_is_missing_is_as_the_code_has_it(code, output):
    save_regions(output, redshift=np.nan)
    write_exports(output, RUN, 36, [code])
    redshift, flux, error = tables_of(output, code)
    np.testing.assert_array_equal([redshift, flux[1, 1], error[1, 1]], MISSING[code])
    np.testing.assert_array_equal(flux[:, -1], MISSING[code][1])
    assert flux[0, 1] == pytest.approx(TOTAL)


@pytest.mark.parametrize("code", EXPORTS)
def test_files_of_totals_and_pixels_have_the_errors_asked_for(code, output):
    for floor, share in ((None, SYSTEMATIC), (FLOOR, FLOOR), (0, 0)):
        write_exports(output, RUN, 36, [code], floor)
        for quantity, truth in (("total", TOTAL), ("per_pixel", PER_PIXEL)):
            _, flux, error = tables_of(output, code, f"populations_{quantity}")
            assert flux[0, 0] == pytest.approx(truth)
            assert error[0, 0] == pytest.approx(truth * np.hypot(ERROR, share))


def test_there_are_files_of_what_the_run_left(output):
    write_exports(output, RUN, 36, EXPORTS)
    written = {path for path in (output / "exports").rglob("36_*")}
    place = {"run": RUN, "code": EXPORTS, "content": export_contents()}
    possible = output_paths(output, "export", id=36, **place)
    assert written == {path for path in possible if "populations" in path.name and path.is_file()}
    assert not set(output_paths(output, "export", id=3, **place)) & written
    save_regions(output, "composites")
    save_regions(output, "populations", n_regions=0)  # as a run that found no cluster
    for path in written:
        path.unlink()
    write_exports(output, RUN, 36, EXPORTS)
    assert {path.name.split("_")[1] for path in (output / "exports").rglob("36_*")} == {"composites"}
    output_path(output, "composites", run=RUN, id=36).unlink()
    output_path(output, "populations", run=RUN, id=36).unlink()
    write_exports(output, "other", 36, EXPORTS)  # a run without tables leaves nothing
    assert not list((output / "exports").rglob("other"))
