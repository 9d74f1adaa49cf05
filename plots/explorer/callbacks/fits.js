// Show the fit of the chosen region of the run, or the reason why there is none.
const fits = run?.fits ?? [];
const name_of = (fit) => (fit.cluster ? `cluster ${fit.cluster}` : "all regions together");
const options = fits.map((fit) => [`${fit.cluster}`, name_of(fit)]);
if (fit_menu.options.join() !== options.join()) fit_menu.options = options;
if (!fits.some((fit) => `${fit.cluster}` === fit_menu.value)) fit_menu.value = options[0]?.[0] ?? "";
fit_menu.disabled = !fits.length;
const fit = fits.find((each) => `${each.cluster}` === fit_menu.value);
if (!fits.length) fit_words.text = "Nothing was fitted to this run: <code>--fit</code> fits the regions of methods that unmix populations.";
else if (!fit.is_fitted) fit_words.text = `<b>${name_of(fit)}</b> was not fitted: ${escaped(fit.note || "no reason is known")}`;
else {
  const note = fit.note ? ` · ${escaped(fit.note)}` : "";
  fit_words.text = `<b>${name_of(fit)}</b> · χ² = ${number(fit.chi2)} in ${fit.n_bands} bands${note}<p><small>${escaped(how_fits_are)}</small></p>`;
  const x = Array.from(fit.wavelengths, (each) => each / 1e4);
  const rows = (array, n) => {
    const all = Array.from(array), length = all.length / n;
    return Array.from({ length: n }, (_, k) => all.slice(k * length, (k + 1) * length));
  };
  const [flux, error, low, middle, high] = rows(fit.sed, 5);
  const [waves, spectrum] = rows(fit.spectrum, 2);
  const known_flux = flux.map((value, b) => Number.isFinite(value) && value > 2 * error[b]);
  const drawn = flux.map((value, b) => (known_flux[b] ? value : value + 2 * error[b]));
  // The axis is that of the photometry; lines of the spectrum may make it longer by a factor of five.
  const positive = [...drawn, ...middle].filter((value) => value > 0);
  const floor = Math.min(...positive) / 2;
  const top = Math.max(...positive), highest = Math.max(...spectrum.filter(Number.isFinite));
  fit_fluxes.setv({ start: floor, end: Math.min(Math.max(1.3 * highest, 1.5 * top), 5 * top) });
  fit_range.setv({ start: Math.min(...x) / 1.08, end: Math.max(...x) * 1.08 });
  const residual = flux.map((value, b) => (value - middle[b]) / error[b]);
  fit_data.data = {
    band: Array.from(fit.bands), x, flux: drawn, residual,
    low: flux.map((value, b) => (known_flux[b] ? Math.max(value - error[b], floor / 10) : NaN)),
    high: flux.map((value, b) => (known_flux[b] ? value + error[b] : NaN)),
    above: residual.map((value) => value + 1), below: residual.map((value) => value - 1),
    said: flux.map((value, b) => `${number(value, 4)} ± ${number(error[b], 2)} µJy`),
    marker: known_flux.map((each) => (each ? "circle" : "inverted_triangle")),
  };
  fit_model.data = { x, flux: middle, low, high };
  fit_spectrum.data = { x: waves.map((each) => each / 1e4), flux: spectrum };
  const [time, least, rate, most] = rows(fit.history, 4);
  const last = time.findLastIndex((_, i) => most[i] > 0.01 * Math.max(...most)) + 2; // before, no stars were formed
  const [some_time, some_least, some_rate, some_most] = [time, least, rate, most].map((each) => each.slice(0, last));
  fit_history.data = { x: some_time, low: some_least, middle: some_rate, high: some_most };
  fit.posteriors.forEach(({ title, percentiles: [p16, p50, p84], edges, counts }, k) => {
    const bins = Array.from(edges);
    fit_bars[k].data = { left: bins.slice(0, -1), right: bins.slice(1), top: Array.from(counts) };
    fit_axes[k].axis_label = title;
    const digits = Math.min(Math.max(1 - Math.floor(Math.log10(Math.max(p84 - p16, 1e-3))), 1), 3);
    fit_titles[k].text = `${p50.toFixed(digits)} +${(p84 - p50).toFixed(digits)} −${(p50 - p16).toFixed(digits)}`;
  });
  const colour = fit.cluster ? run.colours[fit.cluster - 1] : known.plain;
  for (const { glyph } of fit_coloured) {
    if (glyph.type === "Quad" || glyph.type === "VArea") glyph.fill_color = colour;
    else glyph.line_color = colour;
  }
}
if (!fit?.is_fitted) {
  // The panels are emptied, not hidden: to lay out the whole page again would take seconds.
  for (const source of fit_sources) source.data = Object.fromEntries(Object.keys(source.data).map((name) => [name, []]));
}
