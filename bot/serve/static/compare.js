// Several runs on one axis, and the first less each other with its interval.

import { ask } from "./ask.js";
import { indexAt } from "./chart/scale.js";
import { TimeChart } from "./chart/view.js";
import { el, fill, section, table } from "./dom.js";
import { counted, digitsOf, percent, ratio, time, tone } from "./format.js";

const TONES = ["blue", "amber", "violet", "gain", "loss", "faint", "ink", "soft"];

export async function compareView(main, ids) {
  document.title = "Compare · mtl-paper-bot";
  const found = await ask(`/page/compared?${new URLSearchParams(ids.map((id) => ["run", id]))}`);
  const lines = Object.entries(found.curves).map(([name, curve], k) => ({ kind: "line", name, tone: TONES[k], time: curve.time, value: curve.return, width: 1.6 }));
  const legend = el("p", { class: "legend" });
  const tell = (at) => {
    const parts = lines.map((line) => [line, indexAt(line.time, at ?? Infinity)]).filter(([, k]) => k >= 0);
    fill(legend, at === null ? null : el("span", {}, time(at)), parts.map(([line, k]) => el("span", { class: line.tone }, el("i"), `${line.name} `, el("b", {}, percent(line.value[k], { sign: true })))));
    return parts.map(([line, k]) => `${line.name} ${percent(line.value[k], { sign: true })}`).join(", ");
  };
  const chart = new TimeChart("Return since each run's start", [{ height: 340, series: lines, write: (v, _, step) => percent(v, { digits: digitsOf(100 * step) }) }], { hover: tell });
  fill(main, el("p", { class: "quiet" }, el("a", { href: "#/" }, "All runs")), el("div", { class: "heading" }, el("h1", {}, `${ids.length} runs compared`)),
    section("curves", "Return since each run’s start", legend, chart.node), section("differences", "Differences", found.note ? el("p", {}, found.note) : differences(found.compared)));
  if (lines.some((line) => line.time.length)) {
    chart.setWhole(Math.min(...lines.map((l) => l.time[0] ?? Infinity)), Math.max(...lines.map((l) => l.time.at(-1) ?? -Infinity)));
    chart.draw();
    tell(null);
  }
  return () => chart.end();
}

function differences(told) {
  const span = (found, write, why) => (!found ? why ?? "–" : found.low === null ? `${write(found.value)} (${why})` : `${write(found.value)} [${write(found.low)}, ${write(found.high)}]`);
  return [
    table([
      { name: "run", of: ([name]) => name }, { name: "net return", of: ([, f]) => el("span", { class: tone(f.net_return) }, percent(f.net_return, { sign: true })), number: true },
      { name: "mean a year", of: ([, f]) => percent(f.net_return_annual_mean, { sign: true }), number: true }, { name: "Sharpe", of: ([, f]) => ratio(f.sharpe), number: true },
    ], Object.entries(told.runs), { caption: "The runs over the days they share" }),
    el("h3", {}, "The first less each other"),
    table([
      { name: "difference", of: (d) => `${d.first} \u2212 ${d.second}` }, { name: "net return a year", of: (d) => span(d.net_return, percent, d.missing.net_return) },
      { name: "Sharpe", of: (d) => span(d.sharpe, ratio, d.missing.sharpe) }, { name: told.differences.length > 1 ? "p, Holm" : "p", of: (d) => (d.p === null ? "–" : ratio(d.p_holm, 3)), number: true },
    ], told.differences, { caption: "Paired differences" }),
    el("p", { class: "quiet" }, `${told.from.slice(0, 16).replace("T", " ")} to ${told.to.slice(0, 16).replace("T", " ")} UTC, ${counted(told.days, "day")} that all of them traded. 95 % intervals of paired daily net returns; one that contains 0 tells nothing apart.`)];
}
