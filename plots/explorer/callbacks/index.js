// What is shown of the list of galaxies: those that are asked for, in the order asked for, a page at a time.
const {html, text, status, flags} = galaxies.data
const [field, sign] = galaxies.tags
const by = galaxies.data[field]
const words = search.value_input.toLowerCase().split(/\s+/)
const narrowed = ranges.filter(({value: [low, high], start, end}) => low > start || high < end)
const is_asked = i =>
  words.every(word => text[i].includes(word)) &&
  (outcome.value == "any" || status[i] == outcome.value) &&
  (flag.value == "any" || (flag.value == "none" ? flags[i].length == 0 : flags[i].includes(flag.value))) &&
  // What is not known lies in no range.
  narrowed.every(({tags: [name], value: [low, high]}) => low <= galaxies.data[name][i] && galaxies.data[name][i] <= high)

const order = Array.from(html.keys()).filter(is_asked)
// What is not known comes last both ways; equals stay in the order of their ids.
order.sort((i, j) => isNaN(by[i]) - isNaN(by[j]) || sign * (by[i] - by[j]) || i - j)

page.high = Math.max(1, Math.ceil(order.length / length))
// Whatever else was changed, its answer begins on the first page.
page.value = cb_obj === page ? Math.min(Math.max(1, Math.round(page.value ?? 1)), page.high) : 1
const start = (page.value - 1) * length
const shown = order.slice(start, start + length)
list.text = shown.length ? `<table>${head}<tbody>${shown.map(i => html[i]).join("")}</tbody></table>` : nothing
const number = n => n.toLocaleString("en")
const part = page.high > 1 ? `${number(start + 1)}–${number(start + shown.length)} of ` : ""
const found = order.length < html.length ? ` found among ${number(html.length)}` : ""
count.text = `${part}${number(order.length)} ${order.length == 1 ? "galaxy" : "galaxies"}${found} ${folder}`
for (const button of titles) button.css_classes = button.name == field ? [sign > 0 ? "rising" : "falling"] : []
