// Two colours of each pixel from four bands: magnitudes from the ratio of fluxes, unknown where one is not above zero.
if (known.has_pixels) {
  const flux = (menu) => pixels.data[`flux${known.bands.indexOf(menu.value)}`];
  const colour = (blue, red) => {
    const [above, below] = [flux(blue), flux(red)];
    return Float32Array.from(above, (_, i) => (above[i] > 0 && below[i] > 0 ? -2.5 * Math.log10(above[i] / below[i]) : NaN));
  };
  const { row, col } = pixels.data;
  const tint = Array.from(row, (_, i) => {
    const label = run ? map.data[run.labels][places(map).get(row[i] * known.nx + col[i])] : 0;
    return label > 0 ? run.colours[label - 1] : known.unassigned;
  });
  const colours = { colour_x: colour(x_blue_menu, x_red_menu), colour_y: colour(y_blue_menu, y_red_menu), tint };
  Object.assign(pixels.data, colours);
  [colours.colour_x, colours.colour_y].forEach((values, k) => {
    // All but the outermost percent of the pixels on either side, most of which are noise, and some margin.
    const sorted = Array.from(values).filter(Number.isFinite).sort((a, b) => a - b);
    const [low, high] = [0.01, 0.99].map((share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0);
    const margin = 0.15 * (high - low) || 0.5;
    const [start, end] = [low - margin, high + margin];
    colour_ranges[k].setv({ start, end, reset_start: start, reset_end: end });
  });
  const title = (blue, red) => `${blue.value.toUpperCase()} − ${red.value.toUpperCase()} [AB mag]`;
  colour_axes[0].axis_label = title(x_blue_menu, x_red_menu);
  colour_axes[1].axis_label = title(y_blue_menu, y_red_menu);
  pixels.change.emit();
}
