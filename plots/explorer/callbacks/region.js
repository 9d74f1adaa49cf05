// Show the mean SED of the pixels in a box or lasso with its error. The variance of their sum is a sum over all pairs
// of pixels: the product of their errors times the correlation of noise at their distance, as in noise.error_of_sum.
// The error of the subtracted background is common to all pixels, and so added in quadrature to that of the mean.
const chosen = pixels.selected.indices;
let shown_sed = { band: [], x: [], flux: [], error: [], low: [], high: [], n_pixels: [] };
if (chosen.length && known.has_pixels) {
  const n_bands = known.bands.length, n_lags = known.correlation[0].length, reach = n_lags - 1;
  const at = new Map(chosen.map((pixel, i) => [pixels.data.row[pixel] * known.nx + pixels.data.col[pixel], i]));
  const neighbours = []; // offsets in one half plane, so that each pair is counted once
  for (let dy = 0; dy <= reach; dy++) {
    for (let dx = dy ? -reach : 1; dx <= reach; dx++) {
      const lag = Math.round(Math.hypot(dy, dx));
      if (lag <= reach && dy % known.step === 0 && dx % known.step === 0) neighbours.push([dy, dx, lag]);
    }
  }
  const pairs = [];
  chosen.forEach((pixel, i) => {
    const row = pixels.data.row[pixel], col = pixels.data.col[pixel];
    for (const [dy, dx, lag] of neighbours) {
      if (col + dx < 0 || col + dx >= known.nx) continue;
      const other = at.get((row + dy) * known.nx + col + dx);
      if (other !== undefined) pairs.push(i, other, lag);
    }
  });
  const flux = [], error = [], n_pixels = [];
  for (let band = 0; band < n_bands; band++) {
    const values = pixels.data[`flux${band}`], errors = pixels.data[`error${band}`];
    const each = Float64Array.from(chosen, (pixel) => (Number.isFinite(values[pixel]) ? errors[pixel] : 0));
    let sum = 0, n = 0, alone = 0, shared = 0;
    chosen.forEach((pixel, i) => {
      if (!Number.isFinite(values[pixel])) return;
      sum += values[pixel];
      n += 1;
      alone += each[i] ** 2;
    });
    const correlation = known.correlation[band];
    for (let p = 0; p < pairs.length; p += 3) shared += each[pairs[p]] * each[pairs[p + 1]] * correlation[pairs[p + 2]];
    const variance = Math.max(alone + 2 * shared, 0.1 * alone);
    flux.push(n ? sum / n : NaN);
    error.push(n ? Math.hypot(Math.sqrt(variance) / n, known.background_error[band]) : NaN);
    n_pixels.push(n);
  }
  shown_sed = { ...points(flux, error), n_pixels };
}
region_sed.data = shown_sed;
region_words.text = chosen.length
  ? `<b>${chosen.length} pixels</b> selected: their mean SED is drawn as pink squares.`
  : "Draw a box or a lasso over pixels, or over points of the colours, for their mean SED and as own region.";
if (commands.length) command.text = `This galaxy again${chosen.length && commands[1] ? ", with the selected pixels as own region" : ""}:
  <code>${escaped(commands[chosen.length && commands[1] ? 1 : 0])}</code>`;
