// Unpack the document (see embed.packed), in light colours if the browser asks for them, and draw it.
(async () => {
  const bytes = Uint8Array.from(atob(document.getElementById("packed").textContent), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const whole = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 0;
  const line = () => new TextDecoder().decode(whole.subarray(at, (at = whole.indexOf(10, at) + 1)));
  const { roots, arrays } = JSON.parse(line());
  let text = line();
  const wish = matchMedia("(prefers-color-scheme: light)");
  wish.addEventListener("change", () => location.reload());
  if (wish.matches) for (const [dark, light] of Object.entries(LIGHT)) text = text.replaceAll(dark, light);
  const found = new Map();
  for (const [id, length, size] of arrays) {
    const array = new Uint8Array(length), n = length / size;
    for (let byte = 0; byte < size; byte++) for (let i = 0; i < n; i++) array[size * i + byte] = whole[at++];
    found.set(id, array);
  }
  const filled = (_, value) => (value?.type === "bytes" ? { ...value, data: found.get(value.data.id) ?? value.data } : value);
  const page = JSON.parse(text, filled);
  const places = Object.fromEntries(roots.map((id) => [id, id]));
  await Bokeh.embed.embed_items({ page }, [{ docid: "page", roots: places, root_ids: roots }]);
})();
