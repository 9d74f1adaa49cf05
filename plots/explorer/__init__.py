"""Pages for a browser: `page` shows one galaxy, `index` lists all galaxies; the other modules are parts of these."""
