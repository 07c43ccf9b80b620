// All runs: how each fares, at a glance; filter, and choose some to compare.

import { ask, follow } from "./ask.js";
import { el, fill, svg } from "./dom.js";
import { ago, amount, count, counted, percent, time, tone } from "./format.js";

const ORDER = ["live", "late", "halted", "dead", "stopped", "finished"];

export async function overview(main, connected) {
  document.title = "Runs · mtl-paper-bot";
  let lines = await ask("/api/v1/runs");
  const chosen = new Set();
  const wanted = { words: "", state: "" };
  const list = el("div", { class: "runs" });
  const summary = el("p", { class: "quiet", role: "status" });
  const compare = el("a", { class: "button", href: "#/", hidden: true }, "Compare");

  const draw = () => {
    const states = ORDER.filter((state) => lines.some((line) => line.state === state));
    fill(chips, [["", "all"], ...states.map((s) => [s, s])].map(([state, name]) => el("button", {
      class: "chip", "aria-pressed": String(wanted.state === state),
      on: { click: () => { wanted.state = state; draw(); } },
    }, name)));
    const shown = lines
      .filter((line) => (!wanted.state || line.state === wanted.state) && matches(line, wanted.words))
      .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.id.localeCompare(b.id));
    summary.textContent = shown.length === lines.length ? counted(lines.length, "run") : `${count(shown.length)} of ${counted(lines.length, "run")}`;
    fill(list, shown.length ? tableOf(shown, chosen, mark) : el("p", { class: "quiet" },
      lines.length ? "No run is like that." : "There are no runs yet; bot run --practice makes one."));
  };
  const mark = () => {
    compare.hidden = chosen.size < 2;
    compare.textContent = `Compare ${chosen.size} runs`;
    compare.href = `#/compare?${new URLSearchParams([...chosen].map((id) => ["run", id]))}`;
  };
  const chips = el("div", { class: "chips", role: "group", "aria-label": "State" });
  const search = el("input", {
    type: "search", placeholder: "Filter by name, mode or symbol", "aria-label": "Filter runs",
    on: { input: (event) => { wanted.words = event.target.value.toLowerCase(); draw(); } },
  });
  fill(main, el("div", { class: "heading" }, el("h1", {}, "Runs"), summary),
    el("div", { class: "controls" }, search, chips, compare), list);
  draw();
  return follow(null, async () => { lines = await ask("/api/v1/runs"); draw(); }, connected);
}

const matches = (line, words) => words.split(/\s+/).every((word) => [line.id, line.mode, line.state, line.interval, ...line.symbols].join(" ").toLowerCase().includes(word));

function tableOf(lines, chosen, mark) {
  const columns = ["", "Run", "Equity", "", "Day", "Total", "Drawdown", "Open", "Newest"];
  const numbers = new Set(["Equity", "Day", "Total", "Drawdown", "Open"]);
  const head = el("tr", { role: "row" }, columns.map((name) => el("th", { role: "columnheader", scope: "col", class: numbers.has(name) ? "number" : null }, name || el("span", { class: "unseen" }, name === columns[0] ? "Choose" : ""))));
  return el("table", { class: "overview", role: "table" }, el("caption", { class: "unseen" }, "Runs"),
    el("thead", { role: "rowgroup" }, head), el("tbody", { role: "rowgroup" }, lines.map((line) => rowOf(line, chosen, mark))));
}

function rowOf(line, chosen, mark) {
  const cell = (name, content, classes = "") => el("td", { role: "cell", class: classes, "data-name": name }, content);
  const box = el("input", {
    type: "checkbox", "aria-label": `Compare ${line.id}`, checked: chosen.has(line.id),
    on: { change: (event) => { event.target.checked ? chosen.add(line.id) : chosen.delete(line.id); mark(); } },
  });
  const name = el("a", { href: `#/run/${encodeURIComponent(line.id)}` }, line.id);
  if (line.fault) return el("tr", { role: "row", class: "faulty" }, cell("", ""), el("td", { role: "cell", colspan: "8" }, name, el("small", { class: "loss" }, line.fault)));
  const about = [line.mode, line.interval, line.clock === "practice" ? "practice" : null].filter(Boolean).join(" · ");
  return el("tr", { role: "row" },
    cell("", box, "choose"),
    cell("Run", [name, badge(line), el("small", {}, about)], "name"),
    cell("Equity", amount(line.equity), "number strong"),
    cell("", spark(line.spark, line.total_return), "spark"),
    cell("Day", percent(line.day_return, { sign: true }), `number ${tone(line.day_return)}`),
    cell("Total", percent(line.total_return, { sign: true }), `number ${tone(line.total_return)}`),
    cell("Drawdown", percent(line.drawdown), "number"),
    cell("Open", count(line.positions), "number"),
    cell("Newest", news(line), "news"));
}

const news = (line) => (line.news ? [el("span", {}, line.news.says), el("small", {}, time(line.news.time), " · ", ago(Date.now() - line.news.time), " ago")] : "–");

export function badge(line) {
  return el("span", { class: `badge ${line.state}`, title: line.state_why || null }, line.state, line.state_why ? el("span", { class: "why" }, ` ${line.state_why}`) : null);
}

function spark(values, total) {
  if (values.length < 2) return el("span", {}, "–");
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [w, h, pad] = [132, 30, 2];
  const x = (i) => (pad + (i * (w - 2 * pad)) / (values.length - 1)).toFixed(1);
  const y = (v) => (h - pad - ((v - low) * (h - 2 * pad)) / (high - low || 1)).toFixed(1);
  const path = values.map((v, i) => `${i ? "L" : "M"}${x(i)} ${y(v)}`).join("");
  return svg("svg", { viewBox: `0 0 ${w} ${h}`, preserveAspectRatio: "none", width: w, height: h, role: "img", "aria-label": `Equity, ${percent(total, { sign: true })} in all`, class: `sparkline ${tone(total)}` },
    svg("line", { x1: pad, x2: w - pad, y1: y(values[0]), y2: y(values[0]), class: "base" }), svg("path", { d: path }));
}
