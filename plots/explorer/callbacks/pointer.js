// Choose the pixel under the pointer, unless a pixel is held. A tap holds a pixel; another tap on it releases it.
const row = Math.round(cb_obj.y), col = Math.round(cb_obj.x);
const within = row >= 0 && row < known.ny && col >= 0 && col < known.nx;
const tapped = cb_obj.event_name === "tap";
if (within && (tapped || !hold.active)) {
  const again = row === row_box.value && col === col_box.value;
  if (tapped) hold.active = !(again && hold.active);
  if (!again) {
    row_box.value = row;
    col_box.value = col;
  }
}
