// Draw the SEDs of all clusters of the run, each divided by its mean flux, and highlight the selected cluster.
const drawn_lines = { xs: [], ys: [], colour: [], alpha: [], width: [], name: [] };
const bars = { band: [], x: [], flux: [], low: [], high: [], colour: [] };
if (run && known.bands.length) {
  const selected = Number(cluster_menu.value);
  run.colours.forEach((colour, k) => {
    const kind = run.population === null ? "composite" : "population";
    const flux = of_cluster(kind, "flux", k + 1), error = of_cluster(kind, "error", k + 1);
    const finite = flux.filter(Number.isFinite);
    const mean = Math.abs(finite.reduce((sum, value) => sum + value, 0) / finite.length);
    const scaled = flux.map((value) => value / mean);
    drawn_lines.xs.push(microns());
    drawn_lines.ys.push(scaled);
    drawn_lines.colour.push(colour);
    drawn_lines.alpha.push(selected && selected !== k + 1 ? 0.15 : 1);
    drawn_lines.width.push(selected === k + 1 ? 3 : 1.5);
    drawn_lines.name.push(`cluster ${k + 1}`);
    if (selected && selected !== k + 1) return;
    scaled.forEach((value, band) => {
      bars.band.push(known.bands[band]);
      bars.x.push(drawn_lines.xs[k][band]);
      bars.flux.push(value);
      bars.low.push(value - Math.abs(error[band] / mean));
      bars.high.push(value + Math.abs(error[band] / mean));
      bars.colour.push(colour);
    });
  });
}
const kinds = run?.population === null ? "Composites (means of pixels)" : "Populations (unmixed)";
shapes_title.text = `${kinds} of all clusters`;
shapes.data = drawn_lines;
shape_points.data = bars;
