// Making elements of the page, from those that charts are made of.

import { el } from "./chart/element.js";

export { el, fill, svg } from "./chart/element.js";

// A table of rows: columns are {name, of: row => Node | text, number, wide}.
export function table(columns, rows, { caption, onRow, empty = "None." } = {}) {
  if (!rows.length) return el("p", { class: "quiet" }, empty);
  const head = el("tr", {}, columns.map((c) => el("th", { scope: "col", class: c.number ? "number" : null }, c.name)));
  const body = rows.map((row) => {
    const cells = columns.map((column, place) => {
      const content = column.of(row);
      const shown = content instanceof Node ? content : String(content ?? "–");
      const inside = onRow && place === 0 ? el("button", { class: "plain", on: { click: () => onRow(row) } }, shown) : shown;
      return el("td", { class: column.number ? "number" : column.wide ? "wide" : null, "data-name": column.name }, inside);
    });
    return el("tr", {}, cells);
  });
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, el("table", {},
    el("caption", { class: "unseen" }, caption), el("thead", {}, head), el("tbody", {}, body)));
}

export function figure(name, value, note = "", tone = "") {
  return el("div", { class: "figure" }, el("dt", {}, name), el("dd", { class: tone }, value, note ? el("small", {}, note) : null));
}

export function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);
}
