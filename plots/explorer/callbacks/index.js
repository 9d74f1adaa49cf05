// Show one page of the galaxies that pass all filters, in the chosen order.
const {html, text, status, flags} = galaxies.data
const [field, sign] = galaxies.tags
const sort_by = galaxies.data[field]
const words = search.value_input.toLowerCase().split(/\s+/)
const active_ranges = ranges.filter(({value: [low, high], start, end}) => low > start || high < end)
const passes = i =>
  words.every(word => text[i].includes(word)) &&
  (outcome.value == "any" || status[i] == outcome.value) &&
  (flag.value == "any" || (flag.value == "none" ? flags[i].length == 0 : flags[i].includes(flag.value))) &&
  // Unknown values (NaN) are in no range.
  active_ranges.every(({tags: [name], value: [low, high]}) => {
    const value = galaxies.data[name][i]
    return low <= value && value <= high
  })

const order = Array.from(html.keys()).filter(passes)
// Unknown values come last in either direction; equal values are in the order of ids.
order.sort((i, j) => isNaN(sort_by[i]) - isNaN(sort_by[j]) || sign * (sort_by[i] - sort_by[j]) || i - j)

page.high = Math.max(1, Math.ceil(order.length / length))
// A change of any other control goes back to the first page.
page.value = cb_obj === page ? Math.min(Math.max(1, Math.round(page.value ?? 1)), page.high) : 1
const start = (page.value - 1) * length
const shown = order.slice(start, start + length)
list.text = shown.length ? `<table>${head}<tbody>${shown.map(i => html[i]).join("")}</tbody></table>` : nothing
const number = n => n.toLocaleString("en")
const part = page.high > 1 ? `${number(start + 1)}–${number(start + shown.length)} of ` : ""
const found = order.length < html.length ? ` found among ${number(html.length)}` : ""
count.text = `${part}${number(order.length)} ${order.length == 1 ? "galaxy" : "galaxies"}${found} ${folder}`
for (const button of titles) button.css_classes = button.name == field ? [sign > 0 ? "rising" : "falling"] : []

// Two galaxies that are ticked are shown side by side. A click crosses the borders of shadow trees, a change does not.
window.ticked ??= document.addEventListener("click", (event) => {
  const box = event.composedPath()[0]
  if (box.type != "checkbox") return
  const ids = (window.to_compare = (window.to_compare ?? []).filter(id => id != box.value).concat(box.checked ? box.value : []))
  if (ids.length == 2) {
    window.to_compare = []
    location.href = `compare.html?left=${ids[0]}&right=${ids[1]}`
  }
}) ?? true
