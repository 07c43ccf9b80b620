// The run's log, newest first, with its filters.

import { ask, query, run } from "../ask.js";
import { el, fill } from "../dom.js";
import { shown, time, words } from "../format.js";

const LEVELS = ["debug", "info", "warning", "error"];
const EVERY_BAR = new Set(["decision", "bar_closed", "bar_opened", "heartbeat"]);

export function logPanel({ id, symbols }) {
  const list = el("ol", { class: "log", tabindex: "0", "aria-label": "Events, newest first" });
  const more = el("button", { type: "button", hidden: true }, "Older");
  const option = (value, name = value) => el("option", { value }, name);
  const level = el("select", { "aria-label": "At least of level" }, LEVELS.map((name) => option(name)));
  level.value = "info";
  const symbol = el("select", { "aria-label": "Of symbol" }, option("", "all symbols"), symbols.map((name) => option(name)));
  const quiet = el("label", { class: "quiet" }, el("input", { type: "checkbox" }), " every bar’s events too");
  const every = quiet.firstChild;
  let next = null;
  const read = async (cursor = null) => {
    const found = await ask(`${run(id)}/events${query({ level: level.value, symbol: symbol.value, limit: 200, cursor })}`);
    next = found.next;
    const rows = found.items.filter((event) => every.checked || symbol.value || !EVERY_BAR.has(event.event)).map(row);
    if (cursor) list.append(...rows);
    else fill(list, rows.length ? rows : el("li", {}, "No such event of late."));
    more.hidden = next === null;
  };
  for (const control of [level, symbol, every]) control.addEventListener("change", () => read());
  more.addEventListener("click", () => read(next));
  const node = el("section", { id: "log", "aria-labelledby": "log-title" }, el("div", { class: "bar-row" }, el("h2", { id: "log-title" }, "Log"), level, symbol, quiet), list, more);
  return { node, update: async (_, parts) => { if (parts.has("log") && list.scrollTop < 40) await read(); } };
}

function row(event) {
  const fields = Object.entries(event.fields).filter(([, value]) => value !== null && value !== "").map(([key, value]) => `${words(key)} ${shown(key, value)}`).join(" · ");
  return el("li", {}, el("time", {}, time(event.time, { seconds: true })), el("span", { class: `level ${event.level}` }, event.level),
    el("details", { class: "said" }, el("summary", {}, event.says), el("p", { class: "quiet" }, el("code", {}, event.event), fields ? ` · ${fields}` : "")));
}
