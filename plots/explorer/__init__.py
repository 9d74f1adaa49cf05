"""Pages that open in a browser without a server: `page` of a galaxy, `index` of all; the rest are parts of these."""
