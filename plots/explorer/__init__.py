"""Pages that open in a browser without a server: `page` shows one galaxy, `index` lists all; the rest are parts."""
