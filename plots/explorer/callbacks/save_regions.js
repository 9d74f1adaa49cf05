// Save the clusters of the run as DS9 regions: polygons along the edges of pixels, holes as excluded polygons.
if (run) {
  const { nx, ny } = known;
  const image = new Int16Array((nx + 2) * (ny + 2)); // with a rim of nothing
  const wide = nx + 2;
  map.data.row.forEach((row, i) => { image[(row + 1) * wide + map.data.col[i] + 1] = map.data[run.labels][i]; });
  const in_words = ([ra, dec]) => `${ra.toFixed(8)},${dec.toFixed(8)}`;
  const words = ["# Region file format: DS9", `# galaxy ${known.id}, ${run.name}`, "global width=2", "icrs"];
  run.colours.forEach((colour, k) => {
    // Edges with the cluster on their left, from corner to corner; corner (x, y) is the lower left one of pixel (x, y).
    const next = new Map();
    const add = (x0, y0, x1, y1) => {
      const corner = y0 * wide + x0;
      if (!next.has(corner)) next.set(corner, []);
      next.get(corner).push([x1, y1]);
    };
    const own = (x, y) => image[y * wide + x] === k + 1;
    for (let y = 1; y <= ny; y++) {
      for (let x = 1; x <= nx; x++) {
        if (!own(x, y)) continue;
        if (!own(x, y - 1)) add(x, y, x + 1, y);
        if (!own(x + 1, y)) add(x + 1, y, x + 1, y + 1);
        if (!own(x, y + 1)) add(x + 1, y + 1, x, y + 1);
        if (!own(x - 1, y)) add(x, y + 1, x, y);
      }
    }
    for (const [corner, ends] of next) {
      while (ends.length) {
        const start = [corner % wide, Math.floor(corner / wide)];
        const loop = [start];
        let here = ends.pop(), from = start;
        while (here[0] !== start[0] || here[1] !== start[1]) {
          loop.push(here);
          const ways = next.get(here[1] * wide + here[0]);
          // Where two pixels touch at a corner only, the line turns to the left: each stays a polygon of its own.
          const turn = ([x, y]) => (here[0] - from[0]) * (y - here[1]) - (here[1] - from[1]) * (x - here[0]);
          ways.sort((a, b) => turn(a) - turn(b));
          [from, here] = [here, ways.pop()];
        }
        const bends = loop.filter(([x, y], i) => {
          const [a, b] = [loop.at(i - 1), loop[(i + 1) % loop.length]];
          return (x - a[0]) * (b[1] - y) !== (y - a[1]) * (b[0] - x);
        });
        const area = bends.reduce((sum, [x, y], i) => sum + x * bends.at(i - 1)[1] - y * bends.at(i - 1)[0], 0);
        const corners = bends.map(([x, y]) => in_words(to_sky(x - 1.5, y - 1.5))).join(",");
        const note = `# color=${colour} text={${k + 1}} tag={cluster ${k + 1}}`;
        words.push(area < 0 ? `polygon(${corners}) ${note}` : `-polygon(${corners}) ${note}`);
      }
    }
  });
  save(`${words.join("\n")}\n`, `${known.id}_${run.file}.reg`);
}
