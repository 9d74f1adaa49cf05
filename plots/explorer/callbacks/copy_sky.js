// Copy right ascension and declination of the chosen pixel, ICRS, in degrees.
if (known.sky.centre) copied(to_sky(col_box.value, row_box.value).map((each) => each.toFixed(7)).join(" "), cb_obj.origin);
