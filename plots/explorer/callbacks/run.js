// Fill the menus of maps and clusters, and the legend, for the chosen run.
if (run) {
  const options = [["labels", "clusters"]];
  if (run.confidence) options.push(["confidence", "label probability"]);
  for (const each of layers) options.push([each.column, each.title]);
  const clusters = run.colours.map((_, k) => [`${k + 1}`, `cluster ${k + 1}`]);
  const keep = options.some(([name]) => name === layer_menu.value) ? layer_menu.value : "labels";
  layer_menu.options = options;
  layer_menu.value = keep;
  cluster_menu.options = [["", "all clusters"], ...clusters];
  cluster_menu.value = "";
  const counts = new Array(run.colours.length + 1).fill(0);
  for (const label of map.data[run.labels]) counts[Math.max(label, 0)]++;
  const words = run.colours.map((_, k) => `<span>${chip(k + 1)}${k + 1} <small>${counts[k + 1]} px</small></span>`);
  if (counts[0]) words.push(`<span>${chip(0)}none <small>${counts[0]} px</small></span>`);
  legend.text = `<div class="legend" aria-label="clusters and their numbers of pixels">${words.join(" ")}</div>`;
}
