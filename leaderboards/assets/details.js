/* What an opened row says, built from the page's data. */

function pairs(title, entries) {
  const shown = entries.filter(([, value]) => value !== null && value !== "" && value !== "None");
  if (!shown.length) return [];
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of shown) list.append(make("dt", {}, name), make("dd", {}, value));
  return [make("section", {}, make("h4", {}, title), list)];
}

function columnsOf(heads, lines) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
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
  return [make("section", {}, make("h4", {}, "Scores, 0 to 1"), columnsOf(["family", "", "95 % interval"], lines))];
}

function curvesOf(detail) {
  const figures = Object.entries(detail.curves).map(([name, curves]) => sparkline(name, curves));
  return figures.length ? [make("section", { class: "curves" }, make("h4", {}, "Training"), ...figures)] : [];
}

function classesOf(detail, real) {
  const tables = Object.entries(detail.per_class).map(([measure, classes], at) => {
    const ceiling = real ? real.per_class[measure] || {} : {};
    const lines = Object.entries(classes).map(([name, value]) => [
      name, shareBar(value, ceiling[name]), fixed(value, 2), fixed(ceiling[name], 2),
    ]);
    const table = columnsOf(["class", "", "recall", "real-holdout"], lines);
    return make("details", { open: at === 0 }, make("summary", {}, measure), table);
  });
  if (!tables.length) return [];
  const lead = make("p", { class: "lead" }, "Mean over folds; the tick is real-holdout.");
  return [make("section", { class: "classes" }, make("h4", {}, "Recall by class"), lead, ...tables)];
}

function mebibytes(count) {
  return finite(count) ? Math.round(count / 2 ** 20).toLocaleString("en-GB") : NOTHING;
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
  const region = make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "cells" }, columnsOf(heads, lines));
  return lines.length ? [make("section", { class: "cells" }, make("h4", {}, "Cells"), region)] : [];
}

function seedsOf(detail) {
  const lines = detail.cells.map((cell) => [
    `fold ${cell.fold} seed ${cell.seed}`,
    Object.entries(cell.seeds).map(([name, seed]) => `${name} ${seed}`).join(", "),
  ]);
  return pairs("Seeds by purpose", lines);
}

function saidOf(data, detail, at) {
  const marks = data.rows.notes[at].split(", ").filter(Boolean);
  const warnings = detail.cells.flatMap((cell) => cell.warnings);
  const texts = [...new Set([...marks.map((mark) => data.notes[Number(mark) - 1]), ...warnings])];
  if (!texts.length) return [];
  return [make("section", {}, make("h4", {}, "Notes"), make("ul", {}, ...texts.map((text) => make("li", {}, text))))];
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
    { class: "detail" },
    columns(
      ...pairs("Generator", about),
      ...saidOf(data, detail, at),
      ...scores(data, at),
      ...curvesOf(detail),
      ...classesOf(detail, real),
      ...pairs("Settings", Object.entries(detail.settings)),
    ),
    ...cellsOf(detail),
    columns(
      ...seedsOf(detail),
      ...pairs("Versions", Object.entries(detail.versions)),
      ...pairs("Hardware", Object.entries(detail.hardware)),
    ),
  );
}
