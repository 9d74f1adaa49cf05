// Switch between observed and rest-frame wavelengths, and mark the emission lines and breaks within the bands.
const factor = to_micron();
const names = { x: [], y: [], name: [], align: [], offset: [] };
const last = known.wavelengths[known.wavelengths.length - 1];
for (const [name, rest] of Object.entries(known.lines)) {
  for (const wavelength of rest) {
    const observed = wavelength * (1 + known.redshift);
    if (observed > known.wavelengths[0] && observed < last) {
      names.x.push(observed * factor);
      names.align.push(observed > 0.85 * last ? "right" : "left"); // so that names stay within the panel
      names.offset.push(observed > 0.85 * last ? -3 : 3);
      names.name.push(wavelength === rest[0] ? name : "");
      // On three heights, so that names of neighbouring lines do not overlap.
      names.y.push([0.98, 0.91, 0.84][names.x.length % 3]);
    }
  }
}
lines.data = names;
if (last) wave_range.setv({ start: 0.93 * known.wavelengths[0] * factor, end: 1.07 * last * factor });
for (const axis of axes) axis.axis_label = `${frame_menu.active === 1 ? "rest-frame" : "observed"} wavelength [µm]`;
