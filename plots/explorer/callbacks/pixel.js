// Show the SED of the pixel at the chosen row and column, and the SEDs of its cluster scaled to it.
const nothing = { band: [], x: [], flux: [], error: [], low: [], high: [] };
const [row, col] = [row_box.value, col_box.value];
const pixel = pixel_at(row, col);
const place = places(map).get(row * known.nx + col);
const words = [`<b>pixel</b> row ${number(row, 6)}, column ${number(col, 6)}`];
let own = nothing, composite = nothing, population = nothing;
if (known.sky.centre) {
  const [ra, dec] = to_sky(col, row);
  words.push(`${ra.toFixed(6)}°, ${dec.toFixed(6)}°`);
}
if (place === undefined) words.push("not selected: no SED");
else {
  const label = run ? map.data[run.labels][place] : 0;
  if (run) {
    words.push(whole(label > 0 ? `${chip(label)}<b>cluster ${label}</b>` : `${chip(label)}in no cluster`));
    if (run.confidence) words.push(`probability ${number(map.data[run.confidence][place], 2)}`);
    const blend = run.fraction.map((column, k) => [map.data[column][place], k + 1]).filter(([share]) => share >= 0.005);
    blend.sort((a, b) => b[0] - a[0]);
    const parts = blend.map(([share, k]) => whole(`${chip(k)}${Math.round(100 * share)}% population ${k}`));
    if (parts.length) words.push(`light: ${parts.join(" + ")}`);
  }
  if (layer) {
    const value = number(map.data[layer.column][place]);
    const error = layer.error ? ` ± ${number(map.data[layer.error][place], 2)}` : "";
    const unit = layer.unit ? ` [${escaped(layer.unit)}]` : "";
    const meaning = layer.meaning ? ` <small>(${escaped(layer.meaning)})</small>` : "";
    words.push(`${escaped(layer.title)}: ${value}${error}${unit}${meaning}`);
  }
  if (pixel !== undefined && known.has_pixels) {
    const flux = spectrum("flux", pixel), error = spectrum("error", pixel);
    own = points(flux, error);
    for (const kind of ["composite", "population"]) {
      if (!run || label < 1 || run[kind] === null) continue;
      const template = of_cluster(kind, "flux", label);
      const scale = amplitude(flux, error, template);
      const scaled = points(template.map((value) => scale * value),
                            of_cluster(kind, "error", label).map((value) => scale * value));
      if (kind === "composite") composite = scaled;
      else population = scaled;
    }
    composite_line.glyph.line_color = composite_dots.glyph.line_color = label > 0 ? run.colours[label - 1] : "#888888";
    population_dots.glyph.fill_color = composite_line.glyph.line_color;
  }
}
pixel_sed.data = own;
composite_sed.data = composite;
population_sed.data = population;
cursor.data = { x: [col], y: [row] };
readout.text = `<div class="readout" role="status" aria-live="polite">${words.join(" · ")}</div>`;
