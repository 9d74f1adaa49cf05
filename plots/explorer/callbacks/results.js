// Show the tables of the chosen run, and its criteria for the number of clusters.
if (run) {
  const number_of_run = known.runs.indexOf(run);
  results.text = result_words[number_of_run];
  number_words.text = choices[number_of_run].replace(/[&<>]/g, escaped);
  const own = criteria.data.run.map((name, i) => [name, i]).filter(([name]) => name === run.name).map(([, i]) => i);
  const chosen = {};
  for (const name of Object.keys(criteria.data)) chosen[name] = own.map((i) => criteria.data[name][i]);
  curves.data = chosen;
  rings.data = { x: chosen.chosen, y: chosen.chosen.map(() => 0) };
}
