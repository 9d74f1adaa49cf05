pixels.selected.indices = [];
