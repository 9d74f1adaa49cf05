// Draw the colour image from three bands. Each band is scaled so that the selected pixels together are white, and the
// brightness I is stretched to asinh(b I) / asinh(b), which preserves colours (Lupton et al. 2004).
if (known.has_images) {
  const { image, soft, level } = bands.data;
  const size = known.nx * known.ny;
  const channels = [red_menu, green_menu, blue_menu].map((menu) => {
    const band = known.bands.indexOf(menu.value);
    const values = new Float32Array(size);
    for (let i = 0; i < size; i++) {
      const coded = image[band][i];
      values[i] = coded === -32768 ? NaN : (soft[band] * Math.sinh(coded / 1024)) / level[band];
    }
    return values;
  });
  const mean = (i) => (channels[0][i] + channels[1][i] + channels[2][i]) / 3;
  const selected = Array.from(map.data.row, (row, i) => mean(row * known.nx + map.data.col[i]));
  const sorted = selected.filter(Number.isFinite).sort((a, b) => a - b);
  const brightest = Math.max(sorted[Math.floor(0.995 * (sorted.length - 1))] ?? 1, 1e-30);
  const softening = 10 ** stretch.value;
  const drawn = shown.data.image[0];
  for (let i = 0; i < size; i++) {
    const light = mean(i) / brightest;
    if (!Number.isFinite(light)) {
      drawn[i] = 0xff302c2a;
      continue;
    }
    const gain = light > 0 ? (255 * Math.asinh(softening * light)) / Math.asinh(softening) / (light * brightest) : 0;
    const values = channels.map((channel) => Math.max(channel[i] * gain, 0));
    const scale = Math.min(1, 255 / Math.max(...values)); // saturated pixels keep their colour
    drawn[i] = 0xff000000 | ((values[2] * scale) << 16) | ((values[1] * scale) << 8) | (values[0] * scale);
  }
  shown.change.emit();
}
