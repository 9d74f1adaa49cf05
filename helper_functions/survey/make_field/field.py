"""All steps from the files of the bands to a field in the layout of UNCOVER."""

import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import data_paths
from helper_functions.files.code import digest
from helper_functions.files.log import progress_bar, report
from helper_functions.files.saving import remove_stale_partials, save_figure, save_fits, save_table
from helper_functions.survey.make_field import kernels, layout, sources
from helper_functions.survey.make_field.cutouts import split_cutouts
from helper_functions.survey.make_field.inputs import find_files, find_psfs, open_images, read_table
from helper_functions.survey.make_field.matching import Grid, Matching, overlaps
from helper_functions.survey.make_field.noise import correlation_area_after, sky_correlation, variance_factor
from helper_functions.survey.make_field.psfs import on_pixels, pixel_side, read_band_psf, sky_matrix
from helper_functions.survey.make_field.shifts import measure_field_shifts, read_shifts, write_shifts
from helper_functions.survey.make_field.stars import psf_from_stars
from helper_functions.survey.mosaics import open_mosaic
from plots.psf_matching import psf_matching_page

PICTURE_DPI = 150


def make_field(given, scratch):
    """Make a field from the arguments of the command line; errors are OSError or ValueError with a message of one line.

    `scratch` is a temporary folder.
    """
    folder = Path(given.output)
    layout.check_folder(folder)
    remove_stale_partials(folder)
    files = find_inputs(given, scratch)
    images = {each.band: open_one(each, given) for each in files}
    psfs = each_in(given.jobs, band_psf, {each.band: (each, images[each.band]) for each in files}, "PSF")
    target, note = kernels.choose_target(psfs, given.target)
    if note:
        report(note)
    grid = choose_grid(given, images, target)
    found, verdicts = match_psfs(images, psfs, target, given.kernel_radius)
    write_verdicts(folder, psfs, verdicts, target)
    kernels.check_verdicts(verdicts, target, given.accept_residual)
    noise = each_in(given.jobs, sky_correlation, {band: (each,) for band, each in images.items()}, "sky")
    plan = {
        band: Matching(each, grid, found[band], variance_factor(*noise[band], found[band]))
        for band, each in images.items()
    }
    areas = {band: noise_area(each, noise[band][1]) for band, each in plan.items()}
    cards = {band: header_cards(target, verdicts[band], noise[band][0], areas[band]) for band in plan}
    save_target_psf(folder, psfs[target], grid)
    segmap, mosaics = make_images(folder, plan, cards, target, given)
    catalog = sources.measure_catalog(segmap, mosaics, areas)
    if given.redshifts:
        redshifts = sources.match_redshifts(catalog, given.redshifts)
    else:
        redshifts = sources.one_redshift(catalog, given.redshift)
    sources.write_catalogs(folder, catalog, redshifts)
    report(
        f"{folder}: {len(catalog)} sources, {len(redshifts)} with a redshift, in {len(plan)} bands matched to {target}"
    )


def make_images(folder, plan, cards, target, given):
    """Write images and segments; bands that turn out to be misregistered are written again with corrected shifts.

    Returns the segmentation map, and image and weights of each band, as Mosaics.
    """
    made_of = digest([layout.fingerprint(each) for each in plan.values()], given.segmap, given.detection)
    none = {band: (0.0, 0.0) for band in plan}
    shifts = read_shifts(folder / layout.SHIFTS, made_of) if given.registration == "measured" else none
    segmap, mosaics = write_moved(folder, plan, cards, shifts or none, target, given)
    if shifts is not None:
        return segmap, mosaics
    shifts, n_sources = measure_field_shifts(segmap, sources.ids_of(segmap), mosaics)
    write_shifts(folder / layout.SHIFTS, shifts, made_of, n_sources)
    off = [f"{band} {np.hypot(*shift):.2f}" for band, shift in shifts.items() if any(shift)]
    report(f"registration of the bands, in {n_sources} sources; corrected shifts in pixels: {', '.join(off) or 'none'}")
    return write_moved(folder, plan, cards, shifts, target, given) if off else (segmap, mosaics)


def write_moved(folder, plan, cards, shifts, target, given):
    """Write the images of all bands with these shifts corrected, and the segments; see `make_images`."""
    work = {
        band: (folder, moved := each._replace(shift=shifts[band]), [*cards[band], *shift_cards(moved)])
        for band, each in plan.items()
    }
    if not all(layout.is_made(folder, band, layout.fingerprint(each)) for band, (_, each, _) in work.items()):
        (folder / data_paths.SUPER_CATALOG).unlink(missing_ok=True)  # an incomplete field has no catalog
    made = sum(each_in(given.jobs, layout.write_band, work, "band").values())
    if made < len(plan):
        report(f"{len(plan) - made} of {len(plan)} bands were made before, of the same files and settings")
    mosaics = {band: open_made(folder, band) for band in plan}
    write_segments(folder, next(iter(plan.values())).grid, mosaics, target, given)
    return open_mosaic(folder / data_paths.SEGMAP, data_paths.cache_folder()), mosaics


# ---- parts ------------------------------------------------------------------


def find_inputs(given, scratch):
    """`BandFiles` of all requested bands, with the files of their PSFs if there are any."""
    where = Path(given.mosaics)
    if given.cutout:
        files = split_cutouts(where, scratch, given.error_map, given.weights_from_sky)
    elif where.is_file():
        files = read_table(where, given.error_map)
    else:
        files = find_files(where, given.images, given.error_map)
    if given.bands:
        wanted = [band.lower() for band in given.bands]
        if unknown := [band for band in wanted if band not in [each.band for each in files]]:
            raise ValueError(f"no images of {', '.join(unknown)}: there are {', '.join(each.band for each in files)}")
        files = [each for each in files if each.band in wanted]
    return find_psfs(files, given.psfs) if given.psfs and given.psfs != "stars" else files


def open_one(files, given):
    """`BandImages` of one band."""
    return open_images(files, given.error_map, given.unit, (given.sci_extension, given.error_extension))


def band_psf(files, images):
    """`BandPSF` of a band, from its file or from stars."""
    return read_band_psf(files.psf, images.sci.wcs) if files.psf else psf_from_stars(images)


def choose_grid(given, images, target):
    """The `Grid` of the field: that of the segmentation map, of a band or of a file; else that of the target."""
    if given.segmap:
        mosaic = open_mosaic(Path(given.segmap), data_paths.cache_folder())
    elif given.grid in images or given.grid is None:
        mosaic = images[given.grid or target].sci
    elif Path(given.grid).is_file():
        mosaic = open_mosaic(Path(given.grid), data_paths.cache_folder())
    else:
        raise ValueError(f"--grid {given.grid} is neither a band nor a file: there are {', '.join(images)}")
    grid = Grid(WCS(mosaic.wcs.to_header(relax=True)), mosaic.shape)
    for band, each in images.items():
        if not overlaps(each, grid):
            raise ValueError(f"{band} covers nothing of the grid of {mosaic.source}: {each.sci.source} is elsewhere")
    return grid


def match_psfs(images, psfs, target, reach):
    """Kernel and `Verdict` of each band, two dictionaries."""
    radius = kernels.common_radius(psfs)
    found = {
        band: kernels.matching_kernel(psfs[band], psfs[target], sky_matrix(each.sci.wcs), radius, reach)
        for band, each in images.items()
    }
    return tuple({band: pair[number] for band, pair in found.items()} for number in (0, 1))


def write_verdicts(folder, psfs, verdicts, target):
    """Write the quality of the PSF matching as a table and a picture, and print it."""
    rows = [
        {"band": band, "psf": f"{psf.n_stars} stars" if psf.n_stars else "file", "fwhm": each.fwhm}
        | {"matched_fwhm": each.matched_fwhm, "residual": each.residual, "noise": each.noise}
        | {f"ee_{radius:g}": energy for radius, energy in zip(kernels.RADII, each.energies, strict=True)}
        | {"mended": psf.note}
        for (band, psf), each in zip(psfs.items(), verdicts.values(), strict=True)
    ]
    table = Table(rows, meta={"target": target})
    units = {"fwhm": "arcsec", "matched_fwhm": "arcsec", "residual": "percent"}
    for name in table.colnames:
        table[name].unit = units.get(name)
        if table[name].dtype.kind == "f":
            table[name].format = ".4f" if name.startswith("ee_") else ".3f"
    save_table(folder / layout.VERDICTS, table)
    save_figure(
        folder / layout.VERDICTS_PICTURE, psf_matching_page(table, kernels.RADII, kernels.MOST_RESIDUAL), PICTURE_DPI
    )
    for line in table.pformat(max_lines=-1, max_width=-1):
        report(line.rstrip())


def noise_area(matching, correlation):
    """Correlation area of the noise of a band in pixels of the grid."""
    sides = [pixel_side(sky_matrix(wcs)) for wcs in (matching.grid.wcs, matching.images.sci.wcs)]
    return correlation_area_after(correlation, matching.kernel, (sides[0] / sides[1]) ** 2)


def header_cards(target, verdict, scale, area):
    """Header cards on the PSF matching of an image."""
    energies = zip(kernels.RADII, verdict.energies, strict=True)
    return [
        ("PSFTARG", target, "band whose PSF all are matched to"),
        ("PSFRES", round(verdict.residual, 4), "largest difference of PSFs, percent of the peak"),
        *[
            (f"PSFEE{10 * radius:02.0f}", round(float(energy), 5), f"encircled energy over target at {radius:g} arcsec")
            for radius, energy in energies
        ],
        ("NOISESC", round(scale, 4), "scatter of the sky over its errors before"),
        ("NOISEAR", round(area, 3), "correlation area of the noise now, pixels"),
    ]


def save_target_psf(folder, psf, grid):
    """Save the PSF of all images in the field, where the pipeline reads it."""
    matrix = sky_matrix(grid.wcs)
    hdu = fits.PrimaryHDU(on_pixels(psf, matrix, psf.radius).astype(np.float32))
    hdu.header["PIXELSCL"] = pixel_side(matrix), "arcsec"
    save_fits(folder / data_paths.MATCHED_PSF, fits.HDUList([hdu]))


def shift_cards(matching):
    """Header cards of the corrected shift."""
    return [
        (f"SHIFT{axis}", shift, "corrected shift, pixels") for axis, shift in zip("YX", matching.shift, strict=True)
    ]


def open_made(folder, band):
    """Image and weights of a band of the field, each a Mosaic."""
    cache = data_paths.cache_folder()
    return tuple(
        open_mosaic(data_paths.new_image_path(folder, band, kind), cache)._replace(header=None)
        for kind in ("sci", "wht")
    )


def write_segments(folder, grid, mosaics, target, given):
    """Write the segmentation map: the given one, or that of the detected sources."""
    if given.segmap:
        unpacked = open_mosaic(Path(given.segmap), data_paths.cache_folder()).path
        shutil.copyfile(unpacked, folder / data_paths.SEGMAP)
        return
    wanted = [band.lower() for band in given.detection or [target]]
    if unknown := [band for band in wanted if band not in mosaics]:
        raise ValueError(f"no band {', '.join(unknown)} to find sources in: there are {', '.join(mosaics)}")
    bands = [mosaics[band] for band in wanted]
    path = folder / data_paths.SEGMAP
    sources.write_segmap(path, grid, bands, given.threshold, given.n_pixels, given.contrast, given.cutout)


def each_in(jobs, work, arguments, unit):
    """Results of `work(*arguments[band])` of each band, in `jobs` processes, with a progress bar.

    After an error, bands in progress are finished first.
    """
    results = {}
    with progress_bar(len(arguments), unit) as advance:
        if jobs == 1 or len(arguments) == 1:
            for band, each in arguments.items():
                results[band] = work(*each)
                advance()
            return results
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:  # forks of threads can hang
            tasks = {pool.submit(work, *each): band for band, each in arguments.items()}
            try:
                for task in as_completed(tasks):
                    results[tasks[task]] = task.result()
                    advance()
            finally:
                pool.shutdown(cancel_futures=True)
    return {band: results[band] for band in arguments}
