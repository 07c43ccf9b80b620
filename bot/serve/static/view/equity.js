// Equity against buying and holding, and the drawdown beneath.

import { ask, drawn, query } from "../ask.js";
import { TimeChart } from "../chart/view.js";
import { indexAt } from "../chart/scale.js";
import { el, fill } from "../dom.js";
import { amount, digitsOf, percent, time } from "../format.js";

const DAY = 86400000;
const RANGES = [["1 d", DAY], ["1 w", 7 * DAY], ["1 m", 30 * DAY], ["1 y", 365 * DAY], ["all", Infinity]];

export function equityPanel({ id }) {
  const mine = { kind: "line", name: "equity", tone: "blue", time: [], value: [], width: 1.8 };
  const held = { kind: "line", name: "buy and hold", tone: "faint", time: [], value: [], dash: [4, 3] };
  const down = { kind: "area", name: "drawdown", tone: "loss", fill: "fillloss", time: [], value: [] };
  const legend = el("p", { class: "legend" });
  const chart = new TimeChart("Equity and drawdown over time", [
    { height: 260, series: [held, mine], write: (v, _, step) => amount(v, digitsOf(step)) },
    { height: 84, series: [down], zero: "top", write: (v, _, step) => percent(v, { digits: digitsOf(100 * step) }), title: "drawdown" },
  ], { moved: (from, to) => load(from, to), hover: (at) => tell(at) });
  const ranges = el("div", { class: "ranges", role: "group", "aria-label": "Span shown" }, RANGES.map(([name, width]) => el("button", {
    type: "button", class: "chip", on: { click: () => { const [first, last] = chart.whole ?? [0, 0]; chart.show(Math.max(first, last - width), last); } },
  }, name)));
  const node = el("section", { id: "equity", "aria-labelledby": "equity-title" }, el("div", { class: "bar-row" }, el("h2", { id: "equity-title" }, "Equity"), ranges), legend, chart.node);

  const tell = (at) => {
    const k = at === null ? mine.time.length - 1 : indexAt(mine.time, at);
    if (k < 0) return "";
    const h = indexAt(held.time, mine.time[k]);
    const parts = [["", time(mine.time[k])], ["blue", "equity ", amount(mine.value[k])], h >= 0 ? ["faint", "buy and hold ", amount(held.value[h]) + (held.time.at(-1) < mine.time[k] ? `, ${time(held.time.at(-1))}` : "")] : null, ["loss", "drawdown ", percent(-down.value[Math.min(k, down.value.length - 1)])]].filter(Boolean);
    fill(legend, parts.map(([tone, name, value]) => el("span", { class: tone }, value === undefined ? name : [el("i"), name, el("b", {}, value)])));
    return parts.map((part) => part.slice(1).join("")).join(", ");
  };
  const load = async (from, to) => {
    const found = await ask(`${drawn(id)}/equity${query({ from: from && Math.floor(from), to: to && Math.ceil(to), points: 1200 })}`);
    Object.assign(mine, { time: found.time, value: found.equity });
    Object.assign(down, { time: found.time, value: found.drawdown.map((d) => (d === null ? null : -d)) });
    if (found.first !== null) chart.setWhole(found.first, Math.max(found.last, found.first + 1));
    if (mine.value.length) chart.describe(`From ${amount(mine.value[0])} at ${time(mine.time[0])} to ${amount(mine.value.at(-1))} at ${time(mine.time.at(-1))}. Arrow keys read the values.`);
    chart.draw();
    tell(chart.cross);
  };
  return {
    node,
    update: async (_, parts) => {
      if (!parts.has("journal")) return;
      const [from, to] = chart.range && chart.whole && chart.range[0] > chart.whole[0] ? chart.range : [null, null];
      await load(from, to && to < chart.whole[1] ? to : null);
    },
    analysed: ({ result }) => {
      if (!result) return;
      Object.assign(held, { time: result.buy_and_hold.time, value: result.buy_and_hold.equity });
      chart.draw();
      tell(chart.cross);
    },
    end: () => chart.end(),
  };
}
