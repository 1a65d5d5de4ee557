"use strict";
document.documentElement.classList.add("js");

/* Elements whose text is always a text node, and small drawings made of them. */

const SVG = "http://www.w3.org/2000/svg";
const NOTHING = "–";
const DASHES = ["none", "5 2", "1.5 2", "7 2 1.5 2", "3 3"];

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
function intervalBar(value, half, low, high) {
  if (!finite(value) || !(high > low)) return make("span", {}, NOTHING);
  const at = (place) => (4 + 88 * Math.min(Math.max((place - low) / (high - low), 0), 1)).toFixed(1);
  const bar = draw("svg", { class: "bar", width: 96, height: 12, viewBox: "0 0 96 12", "aria-hidden": "true" });
  bar.append(draw("path", { class: "axis", d: "M4 6H92" }));
  if (finite(half)) bar.append(draw("path", { class: "whisker", d: `M${at(value - half)} 6H${at(value + half)}` }));
  bar.append(draw("circle", { cx: at(value), cy: 6, r: 2.5 }));
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

function lineOf(values, x, y) {
  let path = "";
  let down = false;
  values.forEach((value, place) => {
    if (finite(value)) path += `${down ? "L" : "M"}${x(place, values.length)} ${y(value)}`;
    down = finite(value);
  });
  return path;
}

/* One line per fold and seed over the checkpoints; the lowest and highest value stand at the left. */
function sparkline(name, curves) {
  const found = curves.flatMap((curve) => curve.values).filter(finite);
  const [low, high] = [Math.min(...found), Math.max(...found)];
  const folds = [...new Set(curves.map((curve) => curve.fold))];
  const x = (place, count) => (2 + 276 * (count > 1 ? place / (count - 1) : 0.5)).toFixed(1);
  const y = (value) => (high > low ? 68 - (64 * (value - low)) / (high - low) : 36).toFixed(1);
  const told = curves.map((curve) => {
    const [first, last] = [curve.values.find(finite), curve.values.findLast(finite)];
    return `fold ${curve.fold} seed ${curve.seed}: ${short(first)} to ${short(last)}`;
  });
  const chart = draw("svg", {
    class: "spark", width: 280, height: 72, viewBox: "0 0 280 72", role: "img", "aria-label": `${name}; ${told.join("; ")}`,
  });
  for (const curve of curves) {
    const dash = DASHES[folds.indexOf(curve.fold) % DASHES.length];
    const line = draw("path", { d: lineOf(curve.values, x, y), "stroke-dasharray": dash });
    if (curve.values.filter(finite).length === 1) {
      const place = curve.values.findIndex(finite);
      line.replaceChildren();
      chart.append(draw("circle", { cx: x(place, curve.values.length), cy: y(curve.values[place]), r: 2.5 }));
    }
    line.append(draw("title", {}, `fold ${curve.fold} seed ${curve.seed}`));
    chart.append(line);
  }
  const keys = folds.slice(0, DASHES.length).map((fold, at) => {
    const sample = draw("svg", { class: "spark", width: 26, height: 8, viewBox: "0 0 26 8", "aria-hidden": "true" });
    sample.append(draw("path", { d: "M1 4H25", "stroke-dasharray": DASHES[at] }));
    return make("span", {}, sample, ` fold ${fold}`);
  });
  const axis = make("div", { class: "axis-labels", "aria-hidden": "true" }, make("span", {}, short(high)), make("span", {}, short(low)));
  const longest = Math.max(...curves.map((curve) => curve.values.length));
  const goal = /^validation.score$/.test(name) ? ", lower is better" : "";
  const caption = make("figcaption", {}, make("b", {}, name.replaceAll("_", " ")), `${goal}; ${longest} points of training`);
  return make("figure", {}, caption, make("div", { class: "chart" }, axis, chart), make("div", { class: "keys" }, ...keys));
}
