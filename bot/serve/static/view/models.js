// The models on a time line, and what each training reported.

import { ask, run } from "../ask.js";
import { el, fill, section, svg, table } from "../dom.js";
import { count, counted, ratio, time } from "../format.js";

export function models({ id }) {
  const place = el("div");
  const node = section("models", "Models", place);
  let known = -1;
  const update = async ({ status }, parts) => {
    if (!parts.has("journal")) return;
    const { items } = await ask(`${run(id)}/models`);
    if (items.length === known && !parts.has("first")) return;
    known = items.length;
    fill(place, items.length ? timeline(items, status.last_bar) : null, table([
      { name: "model", of: (m) => el("code", {}, m.model_id.slice(0, 12)) }, { name: "decides from", of: (m) => [time(m.effective_from), m.late ? " · late" : ""].join("") },
      { name: "trained at", of: (m) => time(m.due) }, { name: "on rows from", of: (m) => time(m.train_from) }, { name: "to", of: (m) => time(m.train_to) }, { name: "rows", of: (m) => count(m.rows), number: true },
      { name: "best epoch", of: (m) => count(m.metrics?.best_epoch), number: true }, { name: "score", of: (m) => ratio(m.metrics?.score, 4), number: true },
    ], items.toReversed(), { caption: "Models, newest first", empty: "No model decides yet." }));
  };
  return { node, update };
}

// Each model a bar: pale where it was trained, full where it decides.
function timeline(items, last) {
  const rows = items.slice(-24);
  const first = Math.min(...rows.map((m) => m.train_from ?? m.effective_from));
  const end = Math.max(last ?? 0, ...rows.map((m) => m.effective_from));
  const x = (t) => (100 * (t - first)) / (end - first || 1);
  const tall = 14;
  const bars = rows.flatMap((m, k) => {
    const until = rows[k + 1]?.effective_from ?? end;
    const y = k * tall + 3;
    const rect = (from, to, fill) => svg("rect", { x: `${x(from).toFixed(2)}%`, width: `${Math.max(0.3, x(to) - x(from)).toFixed(2)}%`, y, height: 8, rx: 2, fill });
    return [m.train_from === null ? null : rect(m.train_from, m.train_to, "var(--rule)"), rect(m.effective_from, until, "var(--blue)")].filter(Boolean);
  });
  return el("figure", { class: "timeline" }, svg("svg", { width: "100%", height: rows.length * tall + 4, role: "img", "aria-label": `${counted(rows.length, "model")} from ${time(first)} to ${time(end)}` }, ...bars),
    el("figcaption", { class: "quiet" }, `${time(first)} to ${time(end)} UTC. Grey: the rows it was trained on. Blue: the bars it decides on.`));
}
