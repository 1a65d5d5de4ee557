/* What an opened row says, built from the page's data. */

function pairs(title, entries) {
  const shown = entries.filter(([, value]) => value !== null && value !== "" && value !== "None");
  if (!shown.length) return [];
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of shown) list.append(make("dt", {}, name), make("dd", {}, value));
  return [make("section", {}, make("h3", {}, title), list)];
}

function columnsOf(heads, lines) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text === "drawn" ? make("span", { class: "unseen" }, text) : text)));
  const body = lines.map((cells) =>
    make("tr", {}, ...cells.map((cell, at) => make(at ? "td" : "th", at ? {} : { scope: "row" }, cell))),
  );
  return make("table", { class: "small" }, make("thead", {}, head), make("tbody", {}, ...body));
}

function scores(data, at) {
  if (data.rows.overall[at] === null) return [];
  const lines = ["overall", ...data.families].map((name) => {
    const [value, half] = [data.rows[name][at], data.rows[`${name}_half_width`][at]];
    const text = finite(half) ? `${fixed(value, 3)} ± ${fixed(half, 3)}` : fixed(value, 3);
    return [name, intervalBar(value, half, 0, 1), text];
  });
  return [make("section", {}, make("h3", {}, "Scores, 0 to 1"), columnsOf(["family", "drawn", "95 % interval"], lines))];
}

function curvesOf(detail) {
  const figures = Object.entries(detail.curves).map(([name, curves]) => sparkline(name, curves));
  if (!figures.length) return [];
  const folds = [...new Set(Object.values(detail.curves).flat().map((curve) => curve.fold))].sort((a, b) => a - b);
  const keys = make("div", { class: "keys" }, ...keysOf(folds));
  return [make("section", { class: "curves" }, make("h3", {}, "Training"), keys, make("div", { class: "charts" }, ...figures))];
}

function classesOf(detail, real, labels) {
  const tables = Object.entries(detail.per_class).map(([measure, classes], at) => {
    const ceiling = real ? real.per_class[measure] || {} : {};
    const lines = Object.entries(classes).map(([name, value]) => [
      name, shareBar(value, ceiling[name]), fixed(value, 2), fixed(ceiling[name], 2),
    ]);
    const table = columnsOf(["class", "drawn", "recall", "real-holdout"], lines);
    return make("details", { open: at === 0 }, make("summary", {}, labels[measure] || measure), table);
  });
  if (!tables.length) return [];
  const lead = make("p", { class: "lead" }, "Mean over folds; the tick is real-holdout.");
  return [make("section", { class: "classes" }, make("h3", {}, "Recall by class"), lead, ...tables)];
}

function hardwareOf(detail) {
  const gigabytes = (text) => text.replace(/\d+/g, (bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  return Object.entries(detail.hardware).map(([name, value]) =>
    name === "memory_bytes" ? ["memory", gigabytes(value)] : [name, value],
  );
}

function mebibytes(count) {
  return finite(count) ? Math.round(count / 2 ** 20).toLocaleString("en-GB") : NOTHING;
}

/* A table that scrolls by itself where it is wider than the row. */
function wideTable(title, heads, lines) {
  if (!lines.length) return [];
  const region = make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": title }, columnsOf(heads, lines));
  return [make("section", { class: "cells" }, make("h3", {}, title), region)];
}

function cellsOf(detail) {
  const phases = ["fit", "sample", "score"];
  const heads = ["fold", "seed", "state", ...phases.flatMap((phase) => [`${phase} (CPU s)`, `${phase} (s)`])];
  heads.push("host MiB", "device MiB", "device", "commit", "record");
  const lines = detail.cells.map((cell) => [
    cell.fold, cell.seed, cell.reason ? `${cell.state}: ${cell.reason}` : cell.state,
    ...phases.flatMap((phase) => [fixed(cell.cpu_times_s[phase], 2), fixed(cell.times_s[phase], 2)]),
    mebibytes(cell.peak_memory_bytes.host), mebibytes(cell.peak_memory_bytes.device), cell.device,
    make("code", {}, (cell.commit || cell.suite).slice(0, 10)),
    make("code", {}, cell.record),
  ]);
  return wideTable("Cells", heads, lines);
}

function seedsOf(detail) {
  const purposes = [...new Set(detail.cells.flatMap((cell) => Object.keys(cell.seeds)))].sort();
  const lines = detail.cells.map((cell) => [
    cell.fold, cell.seed, ...purposes.map((name) => make("code", {}, cell.seeds[name] || NOTHING)),
  ]);
  return purposes.length ? wideTable("Seeds by purpose", ["fold", "seed", ...purposes], lines) : [];
}

function saidOf(data, detail, at) {
  const marks = data.rows.notes[at].split(", ").filter(Boolean);
  const warnings = detail.cells.flatMap((cell) => cell.warnings);
  const texts = [...new Set([...marks.map((mark) => data.notes[Number(mark) - 1]), ...warnings])];
  if (!texts.length) return [];
  return [make("section", {}, make("h3", {}, "Notes"), make("ul", {}, ...texts.map((text) => make("li", {}, text))))];
}

function detailOf(data, at) {
  const detail = data.details[at];
  const real = data.details[data.rows.generator.indexOf("real-holdout")];
  const settings = data.settings;
  const place = settings.generator.indexOf(data.rows.generator[at]);
  const about = [
    ["version", settings.version[place]],
    ["family", settings.family[place]],
    ["conditions", settings.conditions[place] || "none"],
    ["standing", data.rows.standing[at]],
  ];
  const columns = (...parts) => make("div", { class: "columns" }, ...parts);
  return make(
    "div",
    { class: "detail", role: "region", "aria-label": `details of ${data.rows.generator[at]}` },
    columns(
      ...pairs("Generator", about),
      ...saidOf(data, detail, at),
      ...scores(data, at),
      ...pairs("Hardware", hardwareOf(detail)),
      ...pairs("Versions", Object.entries(detail.versions)),
      ...classesOf(detail, real, data.labels),
      ...pairs("Settings", Object.entries(detail.settings)),
    ),
    ...curvesOf(detail),
    ...cellsOf(detail),
    ...seedsOf(detail),
  );
}
