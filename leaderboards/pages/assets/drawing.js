"use strict";
document.documentElement.classList.add("js");

/* Elements whose text is always a text node, and small drawings made of them. */

const SVG = "http://www.w3.org/2000/svg";
const NOTHING = "–";
const DASHES = ["none", "6 2", "2 2", "8 2 2 2", "4 3"];

function append(parent, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) parent.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) parent.append(child instanceof Node ? child : String(child));
  return parent;
}

function make(tag, attributes = {}, ...children) {
  return append(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return append(document.createElementNS(SVG, tag), attributes, children);
}

function finite(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function short(value) {
  if (!finite(value)) return NOTHING;
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

function fixed(value, places) {
  return finite(value) ? value.toFixed(places).replace(/^-(0\.?0*)$/, "$1") : NOTHING;
}

/* A dot with its interval between low and high, as in the overall column. */
function intervalBar(value, half, low, high, width = 96) {
  if (!finite(value) || !(high > low)) return make("span", {}, NOTHING);
  const at = (place) => (4 + (width - 8) * Math.min(Math.max((place - low) / (high - low), 0), 1)).toFixed(1);
  const bar = draw("svg", { class: "bar", width, height: 12, viewBox: `0 0 ${width} 12`, "aria-hidden": "true" });
  bar.append(draw("path", { class: "axis", d: `M4 6H${width - 4}` }));
  if (finite(half)) bar.append(draw("path", { class: "whisker", d: `M${at(value - half)} 6H${at(value + half)}` }));
  bar.append(draw("circle", { cx: at(value), cy: 6, r: 2, class: value < low || value > high ? "beyond" : null }));
  return bar;
}

/* A share from 0 to 1 as a bar, with a tick where the reference stands. */
function shareBar(value, reference) {
  const bar = draw("svg", { class: "share", width: 120, height: 10, viewBox: "0 0 120 10", "aria-hidden": "true" });
  bar.append(draw("path", { class: "axis", d: "M0 5H120" }));
  if (finite(value)) bar.append(draw("path", { class: "length", d: `M0 5H${(120 * value).toFixed(1)}` }));
  if (finite(reference)) bar.append(draw("path", { class: "tick", d: `M${(119 * reference + 0.5).toFixed(1)} 0V10` }));
  return bar;
}

function lineOf(places, values, x, y) {
  let path = "";
  let down = false;
  values.forEach((value, at) => {
    if (finite(value)) path += `${down ? "L" : "M"}${x(places[at])} ${y(value)}`;
    down = finite(value);
  });
  return path;
}

/* Ends of the drawn values: a first value far beyond the others would flatten them, so the line leaves the top. */
function endsOf(curves) {
  const all = curves.flatMap((curve) => curve.values).filter(finite);
  const later = curves.flatMap((curve) => curve.values.slice(Math.ceil(curve.values.length / 10))).filter(finite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [from, to] = [Math.min(...later), Math.max(...later)];
  if (!(to > from) || high - low <= 4 * (to - from)) return [low, high, false];
  const room = 0.5 * (to - from);
  return [Math.max(low, from - room), Math.min(high, to + room), true];
}

function nameOf(curve) {
  return `fold ${curve.fold} seed ${curve.seed}${curve.state === "ok" ? "" : `, ${curve.state}`}`;
}

function keysOf(folds) {
  return folds.map((fold, at) => {
    const sample = draw("svg", { class: `spark fold-${at % DASHES.length}`, width: 26, height: 8, viewBox: "0 0 26 8", "aria-hidden": "true" });
    sample.append(draw("path", { d: "M1 4H25", "stroke-dasharray": DASHES[at % DASHES.length] }));
    return make("span", {}, sample, ` fold ${fold}`);
  });
}

/* One line per fold and seed over the steps, or over the checkpoints where the steps are unknown. */
function sparkline(name, curves) {
  const [low, high, cut] = endsOf(curves);
  const folds = [...new Set(curves.map((curve) => curve.fold))].sort((a, b) => a - b);
  const stepped = curves.every((curve) => curve.steps);
  const placesOf = (curve) => (stepped ? curve.steps : curve.values.map((_, at) => at + 1));
  const places = curves.flatMap(placesOf);
  const [first, last] = [Math.min(...places), Math.max(...places)];
  const x = (place) => (2 + 276 * (last > first ? (place - first) / (last - first) : 0.5)).toFixed(1);
  const y = (value) => (high > low ? Math.max(Math.min(68 - (64 * (value - low)) / (high - low), 76), -4) : 36).toFixed(1);
  const told = curves.map((curve) => `${nameOf(curve)}: ${short(curve.values.find(finite))} to ${short(curve.values.findLast(finite))}`);
  const title = name.replaceAll("_", " ");
  const chart = draw("svg", { class: "spark", width: 280, height: 72, viewBox: "0 0 280 72", role: "img", "aria-label": `${title}; ${told.join("; ")}` });
  for (const curve of curves) {
    const at = folds.indexOf(curve.fold) % DASHES.length;
    const group = draw("g", { class: `fold-${at}` }, draw("title", {}, nameOf(curve)));
    const known = curve.values.findIndex(finite);
    if (curve.values.filter(finite).length === 1) group.append(draw("circle", { cx: x(placesOf(curve)[known]), cy: y(curve.values[known]), r: 2.5 }));
    else group.append(draw("path", { d: lineOf(placesOf(curve), curve.values, x, y), "stroke-dasharray": DASHES[at] }));
    chart.append(group);
  }
  const side = make("div", { class: "axis-labels", "aria-hidden": "true" }, make("span", {}, short(high)), make("span", {}, short(low)));
  const under = make("div", { class: "step-labels", "aria-hidden": "true" }, make("span", {}, first), make("span", {}, stepped ? "step" : "checkpoint"), make("span", {}, last));
  const more = [/^validation.score$/.test(name) ? "lower is better" : "", cut ? "its first values lie beyond the frame" : ""];
  const caption = make("figcaption", {}, make("b", {}, title), ...more.filter(Boolean).map((text) => `, ${text}`));
  return make("figure", {}, caption, make("div", { class: "chart" }, side, chart, make("span"), under));
}
