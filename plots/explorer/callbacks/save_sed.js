// Save the mean SED of the box or lasso as an ECSV table.
const { band, flux, error, n_pixels } = region_sed.data;
if (band.length) {
  const quoted = (text) => (/^[\w.+-]+$/.test(text) ? text : `"${text.replace(/"/g, '""')}"`);
  const plain = (value) => (Number.isFinite(value) ? String(value) : "nan");
  const column = (name, unit, type, words) =>
    `# - {name: ${name}, ${unit ? `unit: ${unit}, ` : ""}datatype: ${type}, description: ${JSON.stringify(words)}}`;
  const chosen = pixels.selected.indices;
  const list = (values) => `[${chosen.map((pixel) => values[pixel]).join(", ")}]`;
  const text = [
    "# %ECSV 1.0",
    "# ---",
    "# datatype:",
    column("band", "", "string", "filter"),
    column("wave_obs", "Angstrom", "float64", "pivot wavelength"),
    column("flux", "10 nJy", "float64", "per pixel, mean of the pixels"),
    column("flux_err", "10 nJy", "float64", "of flux: noise with its correlation, and background"),
    column("n_pixels", "", "int64", "pixels with data in the band"),
    "# meta: !!omap",
    `# - {id_dr3: ${known.id}}`,
    `# - {redshift: ${Number.isFinite(known.redshift) ? known.redshift : ".nan"}}`,
    `# - {rows: ${list(pixels.data.row)}}`,
    `# - {cols: ${list(pixels.data.col)}}`,
    "# schema: astropy-2.0",
    "band wave_obs flux flux_err n_pixels",
    ...band.map((name, b) =>
      [quoted(name), plain(known.wavelengths[b]), plain(flux[b]), plain(error[b]), n_pixels[b]].join(" ")),
  ];
  save(`${text.join("\n")}\n`, `${known.id}_region_sed.ecsv`);
}
