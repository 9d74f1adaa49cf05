// Draw the map (clusters of the run, or a quantity), the outlines of clusters, and the selected pixels.
const { nx, ny } = known;
const drawn = overlay.data.image[0];
drawn.fill(0);
const segments = { x0: [], y0: [], x1: [], y1: [], colour: [] };
if (run) {
  const labels = map.data[run.labels], { row, col } = map.data;
  const cluster = Number(cluster_menu.value);
  const column = layer_menu.value === "confidence" ? run.confidence : layer?.column;
  const values = column ? map.data[column] : null;
  let low = 0, high = 1;
  if (layer) {
    const sorted = Array.from(values).filter(Number.isFinite).sort((a, b) => a - b);
    const quantile = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
    low = quantile(0.02);
    high = Math.max(quantile(0.98), low + 1e-6 * Math.abs(low), low + 1e-30);
  }
  if (column) {
    bar.visible = true;
    mapper.setv({ low, high });
    mapper.change.emit(); // otherwise a colour bar that reappears with an unchanged range is not laid out
    bar.title = layer ? layer.title + (layer.unit ? ` [${layer.unit}]` : "") : "probability of the label";
  } else bar.visible = false;
  const image = new Int16Array(nx * ny);
  for (let i = 0; i < labels.length; i++) {
    const at = row[i] * nx + col[i];
    image[at] = labels[i];
    let colour = null;
    if (!values) colour = rgb(labels[i] > 0 ? run.colours[labels[i] - 1] : known.unassigned);
    else if (Number.isFinite(values[i])) {
      const share = Math.min(Math.max((values[i] - low) / (high - low), 0), 1);
      colour = rgb(mapper.palette[Math.round(255 * share)]);
    }
    const alpha = opacity.value * (cluster && labels[i] !== cluster ? 0.2 : 1);
    if (colour) drawn[at] = ((255 * alpha) << 24) | (colour[2] << 16) | (colour[1] << 8) | colour[0];
  }
  if (outlines.active) {
    const inside = 0.43; // of outlines from pixel centres; below 0.5, so that those of neighbours are side by side
    for (let i = 0; i < labels.length; i++) {
      const x = col[i], y = row[i], label = labels[i];
      if (label < 1 || (cluster && label !== cluster)) continue;
      const other = (dx, dy) => (x + dx < 0 || x + dx >= nx ? 0 : image[(y + dy) * nx + x + dx]) !== label;
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        if (!other(dx, dy)) continue;
        // A line is 0.5 long where the outline goes straight on, and ends at the corner where the outline turns.
        const ends = [-1, 1].map((side) => (other(side * Math.abs(dy), side * Math.abs(dx)) ? inside : 0.5) * side);
        segments.x0.push(x + (dx ? dx * inside : ends[0]));
        segments.x1.push(x + (dx ? dx * inside : ends[1]));
        segments.y0.push(y + (dy ? dy * inside : ends[0]));
        segments.y1.push(y + (dy ? dy * inside : ends[1]));
        segments.colour.push(run.colours[label - 1]);
      }
    }
  }
}
outline.data = segments;
const chosen = new Set(pixels.selected.indices);
const selection = { x: [], y: [] };
for (const i of chosen) {
  selection.x.push(pixels.data.col[i]);
  selection.y.push(pixels.data.row[i]);
}
marked.data = selection;
overlay.change.emit();
