// Clear the selection of pixels.
pixels.selected.indices = [];
