// Observed or rest-frame wavelengths, and the lines that are within the bands.
const factor = to_micron();
const names = { x: [], y: [], name: [] };
for (const [name, rest] of Object.entries(known.lines)) {
  for (const wavelength of rest) {
    const observed = wavelength * (1 + known.redshift);
    if (observed > known.wavelengths[0] && observed < known.wavelengths[known.wavelengths.length - 1]) {
      names.x.push(observed * factor);
      names.name.push(wavelength === rest[0] ? name : "");
      // Names that would touch stand on three levels.
      names.y.push([0.98, 0.91, 0.84][names.x.length % 3]);
    }
  }
}
lines.data = names;
wave_range.start = 0.93 * known.wavelengths[0] * factor;
wave_range.end = 1.07 * known.wavelengths[known.wavelengths.length - 1] * factor;
for (const axis of axes) axis.axis_label = `${frame_menu.active === 1 ? "rest-frame" : "observed"} wavelength [µm]`;
