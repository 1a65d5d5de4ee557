/* Sorting, filtering, folding and opening of the main table. */

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("board");
  const heads = [...table.tHead.querySelectorAll("th[data-column]")];
  const rows = [...table.querySelectorAll("tr[data-row]")];
  const opened = new Map();
  const overall = heads.find((head) => head.dataset.column === "overall");
  const state = { column: data.rows.overall.some(finite) ? overall : null, reversed: false, unfolded: new Set() };

  const placeOf = (row) => Number(row.dataset.row);
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

  function series(head) {
    const { column, frame } = head.dataset;
    if (frame === "metrics") {
      const metric = data.metrics[column];
      const scored = metric.score.some(finite);
      return { value: metric.value, half: metric.half_width, score: scored ? metric.score : null, scoreHalf: metric.score_half_width };
    }
    const source = data[frame || "rows"];
    return { value: source[column], half: source[`${column}_half_width`] || null, score: null, scoreHalf: null };
  }

  /* Keys by row, and whether the largest is the best. */
  function order(head) {
    const { column, best } = head.dataset;
    const { value, score } = series(head);
    if (column === "rank" || column === "generator") return [value, false];
    if (score && (best === "match" || chosen("scale") === "scaled")) return [score, true];
    return [value.map((entry) => (typeof entry === "boolean" ? Number(entry) : entry)), best !== "low"];
  }

  function compare(first, second, descending) {
    if (first === null || second === null) return (first === null) - (second === null);
    const way = typeof first === "string" ? first.localeCompare(second, "en") : first - second;
    return descending ? -way : way;
  }

  function sort() {
    const head = state.column;
    let descending = false;
    let keys = rows.map((row) => placeOf(row));
    if (head) {
      const [values, largest] = order(head);
      keys = values;
      descending = largest !== state.reversed;
    }
    for (const body of table.tBodies) {
      const mine = rows.filter((row) => row.parentNode === body);
      mine.sort((a, b) => compare(keys[placeOf(a)], keys[placeOf(b)], descending) || placeOf(a) - placeOf(b));
      for (const row of mine) body.append(row, ...(opened.has(row) ? [opened.get(row)] : []));
    }
    for (const each of heads) {
      if (each === head) each.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else each.removeAttribute("aria-sort");
    }
  }

  function filter() {
    const words = document.getElementById("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = document.getElementById("kind").value;
    const standings = new Set([...document.querySelectorAll('input[name="standing"]:checked')].map((box) => box.value));
    for (const row of rows) {
      const place = data.settings.generator.indexOf(data.rows.generator[placeOf(row)]);
      const text = ["generator", "family", "conditions", "settings"].map((name) => data.settings[name][place]).join(" ").toLowerCase();
      row.hidden =
        !standings.has(row.dataset.standing) || (kind !== "" && row.dataset.family !== kind) || !words.every((word) => text.includes(word));
      if (opened.has(row)) opened.get(row).hidden = row.hidden;
    }
    for (const line of table.querySelectorAll("tr.line")) line.hidden = rows.every((row) => row.parentNode !== line.parentNode || row.hidden);
    tell();
  }

  function tell() {
    const shown = rows.filter((row) => !row.hidden).length;
    const head = state.column;
    const sorted = head
      ? `sorted by ${head.querySelector("button").innerText.replace(/\s+/g, " ").trim()}${state.reversed ? ", reversed" : ""}`
      : "in the order of their records";
    document.getElementById("shown").textContent = `${shown} of ${rows.length} generators, ${sorted}. Open a row by its name.${
      chosen("interval") === "bar" ? " The axis of each column spans its ranked rows; a hollow dot lies beyond it." : ""
    }`;
  }

  function fold() {
    const first = table.tHead.rows[1].cells;
    for (const group of table.tHead.querySelectorAll("th[data-group]")) {
      const open = state.unfolded.has(group.dataset.group);
      const mine = [...first].filter((head) => head.group === group);
      for (const head of mine) head.hidden = head.classList.contains("folds") && !open;
      group.colSpan = mine.filter((head) => !head.hidden).length;
      const button = group.querySelector("button");
      if (button) button.setAttribute("aria-expanded", String(open));
    }
    const hidden = [...first].map((head) => head.hidden);
    for (const row of rows) hidden.forEach((flag, at) => (row.cells[at + 2].hidden = flag));
    const width = 2 + hidden.filter((flag) => !flag).length;
    for (const wide of table.querySelectorAll("tr.line > th, tr.opened > td")) wide.colSpan = width;
    const all = table.tHead.querySelectorAll("th[data-group] button").length === state.unfolded.size;
    const button = document.getElementById("unfold");
    button.setAttribute("aria-pressed", String(all));
    button.textContent = all ? "Fold all" : "Unfold all";
  }

  /* The axis of a column spans its ranked rows: references far off would press all others together. */
  function axisOf(values, halves) {
    const ends = (standings) =>
      values.flatMap((value, at) => (finite(value) && standings.includes(data.rows.standing[at]) ? [value - (halves[at] || 0), value + (halves[at] || 0)] : []));
    const ranked = ends(["ranked"]);
    const shown = Math.max(...ranked) > Math.min(...ranked) ? ranked : ends(data.rows.standing);
    return [Math.min(...shown), Math.max(...shown)];
  }

  function bars() {
    for (const old of table.querySelectorAll(".drawn")) old.remove();
    if (chosen("interval") !== "bar") return;
    const scaled = chosen("scale") === "scaled";
    heads.slice(2).forEach((head, at) => {
      const { value, half, score, scoreHalf } = series(head);
      const [values, halves] = scaled && score ? [score, scoreHalf] : [value, half];
      if (!halves || head.dataset.column === "overall") return;
      const [low, high] = axisOf(values, halves);
      for (const row of rows) {
        const bar = intervalBar(values[placeOf(row)], halves[placeOf(row)], low, high);
        row.cells[at + 2].append(make("span", { class: "drawn" }, bar));
      }
    });
  }

  function display() {
    table.classList.toggle("show-scaled", chosen("scale") === "scaled");
    table.classList.toggle("show-half", chosen("interval") === "half");
    table.classList.toggle("show-bars", chosen("interval") === "bar");
    bars();
    sort();
    tell();
  }

  function toggle(row, button) {
    if (opened.has(row)) {
      opened.get(row).remove();
      opened.delete(row);
    } else {
      const cell = make("td", { colspan: row.cells.length }, detailOf(data, placeOf(row)));
      const detail = make("tr", { class: "opened", id: `detail-${placeOf(row)}` }, cell);
      opened.set(row, detail);
      row.after(detail);
      fold();
    }
    button.setAttribute("aria-expanded", String(opened.has(row)));
    row.classList.toggle("is-open", opened.has(row));
  }

  function buttonOf(parts, attributes, act) {
    const button = make("button", { type: "button", ...attributes }, ...parts);
    button.addEventListener("click", () => act(button));
    return button;
  }

  function prepareHeads() {
    const groups = [...table.tHead.querySelectorAll("th[data-group]")];
    let left = [...table.tHead.rows[1].cells];
    for (const group of groups) {
      const mine = left.slice(0, group.colSpan);
      left = left.slice(group.colSpan);
      for (const head of mine) head.group = group;
      if (!mine.some((head) => head.classList.contains("folds"))) continue;
      const name = group.dataset.group;
      const act = () => {
        if (!state.unfolded.delete(name)) state.unfolded.add(name);
        fold();
      };
      group.append(buttonOf([...group.childNodes], { class: "fold", "aria-expanded": "false" }, act));
    }
    for (const head of heads) {
      const act = () => {
        state.reversed = state.column === head && !state.reversed;
        state.column = head;
        sort();
        tell();
      };
      head.append(buttonOf([...head.childNodes], { class: "sort" }, act));
    }
  }

  function prepareRows() {
    for (const row of rows) {
      const name = row.cells[1].querySelector(".generator");
      const attributes = { class: "open", "aria-expanded": "false", "aria-controls": `detail-${placeOf(row)}` };
      const marker = document.createComment("");
      name.before(marker);
      marker.replaceWith(buttonOf([name], attributes, (button) => toggle(row, button)));
    }
  }

  function prepareControls() {
    document.querySelector(".controls").hidden = false;
    document.getElementById("find").addEventListener("input", filter);
    document.getElementById("kind").addEventListener("change", filter);
    for (const box of document.querySelectorAll('input[name="standing"]')) box.addEventListener("change", filter);
    for (const choice of document.querySelectorAll('input[type="radio"]')) choice.addEventListener("change", display);
    document.getElementById("unfold").addEventListener("click", (event) => {
      const all = event.currentTarget.getAttribute("aria-pressed") === "true";
      const names = [...table.tHead.querySelectorAll("th[data-group]")].filter((group) => group.querySelector("button"));
      state.unfolded = new Set(all ? [] : names.map((group) => group.dataset.group));
      fold();
    });
  }

  function prepareTheme() {
    const [root, button] = [document.documentElement, document.getElementById("theme")];
    const shown = () => root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const label = () => {
      button.textContent = shown() === "dark" ? "Light colours" : "Dark colours";
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = shown() === "dark" ? "light" : "dark";
      label();
    });
    label();
  }

  /* A narrow screen shows the table sooner. */
  function prepareFacts() {
    const facts = document.querySelector("details.facts");
    if (facts && matchMedia("(max-width: 40rem)").matches) facts.open = false;
  }

  prepareFacts();
  prepareHeads();
  prepareRows();
  prepareControls();
  prepareTheme();
  fold();
  filter();
  display();
}

document.addEventListener("DOMContentLoaded", start);
