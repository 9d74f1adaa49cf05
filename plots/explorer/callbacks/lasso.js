// Select the pixels whose centres are within the box or lasso.
const { geometry, final } = cb_obj;
if (final) {
  const { row, col } = pixels.data;
  const inside = (x, y) => {
    if (geometry.type === "rect") return x >= geometry.x0 && x <= geometry.x1 && y >= geometry.y0 && y <= geometry.y1;
    let odd = false; // whether a line from the point to the right crosses the lasso an odd number of times
    for (let i = 0, j = geometry.x.length - 1; i < geometry.x.length; j = i++) {
      const [x1, y1, x2, y2] = [geometry.x[i], geometry.y[i], geometry.x[j], geometry.y[j]];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
    }
    return odd;
  };
  if (geometry.type === "rect" || geometry.type === "poly") {
    const chosen = [];
    for (let i = 0; i < row.length; i++) if (inside(col[i], row[i])) chosen.push(i);
    pixels.selected.indices = chosen;
  }
}
