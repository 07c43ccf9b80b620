// Making elements. Text is always text: nothing from a run is ever read as HTML.

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const text = (value) => document.createTextNode(value);

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function fill(place, ...children) {
  place.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return place;
}

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
