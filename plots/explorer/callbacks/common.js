// Shared by the callbacks: this code is put before the code of each.
const known = map.tags[0];
const run = known.runs[known.runs.findIndex((each) => each.name === run_menu.value)] ?? null;

// Maps of quantities that can be chosen besides clusters and label probability, and the chosen one.
const layers = [...(run?.layers ?? []), ...known.layers];
const layer = layers.find((each) => each.column === layer_menu.value);

// Index of each pixel in a table, by row * known.nx + column; made once for each table.
function places(table) {
  if (!table.places) {
    const { row, col } = table.data;
    table.places = new Map();
    for (let i = 0; i < row.length; i++) table.places.set(row[i] * known.nx + col[i], i);
  }
  return table.places;
}

// Index of the nearest pixel that has an SED; undefined where there is none.
function pixel_at(row, col) {
  const thinned = (value) => known.step * Math.round(value / known.step);
  return places(pixels).get(thinned(row) * known.nx + thinned(col));
}

// Text with HTML escaped, as names from files may hold any character.
function escaped(text) {
  const signs = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (sign) => signs[sign]);
}

function number(value, digits = 3) {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)).toString() : "–";
}

function chip(label) {
  const colour = label > 0 ? run.colours[label - 1] : known.unassigned;
  return `<span class="chip" style="background:${escaped(colour)}"></span>`;
}

// Right ascension and declination in degrees of a position in the image, by the inverse gnomonic projection.
function to_sky(col, row) {
  const { centre, matrix, origin } = known.sky, degree = Math.PI / 180;
  const [east, north] = matrix.map((line) => (line[0] * (col - origin[0]) + line[1] * (row - origin[1])) * degree);
  const declination = centre[1] * degree;
  const beyond = Math.cos(declination) - north * Math.sin(declination);
  const ra = centre[0] + Math.atan2(east, beyond) / degree;
  const dec = Math.atan2(Math.sin(declination) + north * Math.cos(declination), Math.hypot(east, beyond)) / degree;
  return [(ra + 360) % 360, dec];
}

// HTML that is not broken into lines.
function whole(html) {
  return `<span class="whole">${html}</span>`;
}

// A colour such as #3f90da as [red, green, blue].
function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Factor from observed wavelengths in Angstrom to wavelengths in micron in the frame that is shown.
function to_micron() {
  return 1e-4 / (frame_menu.active === 1 ? 1 + known.redshift : 1);
}

function microns() {
  return known.wavelengths.map((each) => each * to_micron());
}

// Fluxes or errors of a pixel in all bands.
function spectrum(kind, pixel) {
  return known.bands.map((_, band) => pixels.data[`${kind}${band}`][pixel]);
}

// Columns of data for points with error bars.
function points(flux, error) {
  const of_flux = (sign) => flux.map((value, band) => value + sign * error[band]);
  return { band: known.bands, x: microns(), flux, error, low: of_flux(-1), high: of_flux(1) };
}

// Fluxes or errors of a cluster: kind is "composite" or "population", column "flux" or "error".
function of_cluster(kind, column, label) {
  const first = run[kind] + (label - 1) * known.bands.length;
  return Array.from(seds.data[column].slice(first, first + known.bands.length));
}

// The amplitude a for which a * template fits a spectrum best: sum(f t / e^2) / sum(t^2 / e^2).
function amplitude(flux, error, template) {
  let match = 0, norm = 0;
  flux.forEach((value, band) => {
    if (Number.isFinite(value) && Number.isFinite(template[band])) {
      match += (value * template[band]) / error[band] ** 2;
      norm += (template[band] / error[band]) ** 2;
    }
  });
  return norm > 0 ? match / norm : 0;
}

function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Copy a text, and say so on the button for a moment.
function copied(text, button) {
  const label = button.label;
  navigator.clipboard.writeText(text).then(() => (button.label = "copied"), () => (button.label = "not allowed"));
  setTimeout(() => (button.label = label), 900);
}
