// Copy the command that makes this galaxy again, with the selected pixels as own region if there are any.
copied(commands[pixels.selected.indices.length && commands[1] ? 1 : 0], cb_obj.origin);
