// Save the selected pixels as DS9 regions on the sky: polygons along the edges of the pixels, which share a tag; holes
// are polygons with a minus, after the polygon around them.
const brushed = new Set(pixels.selected.indices);
const chosen = Array.from(map.data.row, (row, i) => [row, map.data.col[i]]).filter((at) => brushed.has(pixel_at(...at)));
if (chosen.length && known.sky.centre) {
  const inside = new Set(chosen.map(([row, col]) => row * known.nx + col));
  const has = (x, y) => x >= 0 && x < known.nx && inside.has(y * known.nx + x);
  // Edges of pixels with the pixel on the left, by their start; corners are named by the pixel to the upper right.
  const edges = new Map(), key = (x, y) => y * (known.nx + 1) + x;
  const add = (x, y, dx, dy) => edges.set(key(x, y), [...(edges.get(key(x, y)) ?? []), [x, y, dx, dy]]);
  for (const [y, x] of chosen) {
    if (!has(x, y - 1)) add(x, y, 1, 0);
    if (!has(x + 1, y)) add(x + 1, y, 0, 1);
    if (!has(x, y + 1)) add(x + 1, y + 1, -1, 0);
    if (!has(x - 1, y)) add(x, y + 1, 0, -1);
  }
  const rings = [];
  while (edges.size) {
    const ring = [];
    let area = 0, from = null, [x, y] = edges.values().next().value[0];
    for (let next; (next = edges.get(key(x, y))); ) {
      // Where two pixels touch at a corner, the line turns left, so that they are two pieces.
      const left = from ? next.findIndex(([, , dx, dy]) => dx === -from[1] && dy === from[0]) : 0;
      const [[, , dx, dy]] = next.splice(Math.max(left, 0), 1);
      if (!next.length) edges.delete(key(x, y));
      if (from?.[0] !== dx || from?.[1] !== dy) ring.push([x - 0.5, y - 0.5]);
      area += (x * dy - y * dx) / 2;
      [x, y, from] = [x + dx, y + dy, [dx, dy]];
    }
    rings.push([area, ring]);
  }
  rings.sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])); // what lies in a hole is smaller than it
  const polygon = ([area, ring]) => {
    const places = ring.flatMap(([x, y]) => to_sky(x, y)).map((each) => each.toFixed(8));
    return `${area < 0 ? "-" : ""}polygon(${places.join(",")}) # tag={own region} text={own region}`;
  };
  const lines = ["# Region file format: DS9", `# ${chosen.length} pixels of galaxy ${known.id}`, "icrs", ...rings.map(polygon)];
  save(`${lines.join("\n")}\n`, `${known.id}_region.reg`);
}
