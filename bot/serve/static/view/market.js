// A symbol's candles with what was decided and filled, what is held and ordered, and what was forecast beneath.

import { ask, drawn, query } from "../ask.js";
import { TimeChart } from "../chart/view.js";
import { indexAt } from "../chart/scale.js";
import { el, fill } from "../dom.js";
import { basis, counted, headName, price, quantity, time } from "../format.js";
import { showBar } from "./detail.js";

const LENGTHS = { m: 60000, h: 3600000, d: 86400000 };
const MOST_TABS = 12;
const NEAR = window.innerWidth < 700 ? 72 : 160;

// What a series of marks is of fills or decisions.
const marksOf = (found) => ({ time: found.map((m) => m.time), value: found.map((m) => m.price), up: found.map((m) => m.quantity > 0), marked: found });

export function market({ id, symbols, interval }) {
  const step = Number(interval.slice(0, -1)) * LENGTHS[interval.at(-1)];
  const bars = { kind: "candles", name: "price", time: [], open: [], high: [], low: [], close: [], step };
  const decided = { kind: "rings", name: "decisions", ...marksOf([]) };
  const fills = { kind: "marks", name: "fills", ...marksOf([]) };
  const said = { kind: "line", name: "forecast", tone: "violet", time: [], value: [], width: 1.4 };
  const band = { kind: "band", name: "90 % interval", tone: "band", time: [], low: [], high: [] };
  const came = { kind: "line", name: "what came", tone: "faint", time: [], value: [] };
  const held = { kind: "line", name: "position", tone: "blue", time: [], value: [], stepped: true };
  const below = { height: 104, series: [band, came, said], write: (v) => basis(v, 0), title: "forecast", pad: 0.12 };
  const legend = el("p", { class: "legend" });
  const levels = [];
  let symbol = symbols[0];
  let status = null;

  const chart = new TimeChart("Candles with fills, forecasts and position", [
    { height: 320, series: [bars, fills, decided], write: (v) => price(Number(v.toPrecision(7))), pad: 0.1 },
    below,
    { height: 64, series: [held], write: (v) => quantity(Number(v.toPrecision(4))), title: "position" },
  ], { moved: (from, to) => load(from, to), hover: (at) => tell(at), opened: (mark) => showBar(id, symbol, mark.time, step, mark.reason ? mark : null) });
  const tabs = el("div", { class: "chips", role: "group", "aria-label": "Symbol" });
  const near = el("div", { class: "ranges", role: "group", "aria-label": "Span shown" }, [["near", NEAR], ["wider", 700], ["all", Infinity]].map(([name, n]) => el("button", {
    type: "button", class: "chip", on: { click: () => { const [first, last] = chart.whole; chart.show(Math.max(first, last - n * step), last); } },
  }, name)));
  const node = el("section", { id: "market", "aria-labelledby": "market-title" },
    el("div", { class: "bar-row" }, el("h2", { id: "market-title" }, "Market"), tabs, near), legend, chart.node,
    el("p", { class: "quiet" }, "A ring is a decision to order, at its close; a triangle is a fill: blue below a buy, amber above a sale. Click one, or press Enter on it, for what was decided."));

  const choose = async (name) => {
    symbol = name;
    for (const marked of [fills, decided]) Object.assign(marked, marksOf([]));  // another's, until its own are read
    drawTabs();
    marks();
    await load(...(chart.range ?? [null, null]));
  };
  const choice = el("select", { "aria-label": "Symbol shown", on: { change: () => choose(choice.value) } }, symbols.map((name) => el("option", { value: name }, name)));
  const drawTabs = () => fill(tabs, symbols.length > MOST_TABS ? choice : symbols.map((name) => el("button", {
    type: "button", class: "chip", "aria-pressed": String(name === symbol), on: { click: () => choose(name) },
  }, name)));

  const tell = (at) => {
    const k = at === null ? bars.time.length - 1 : indexAt(bars.time, at);
    if (k < 0) return "";
    const f = said.time.indexOf(bars.time[k]);
    const parts = [time(bars.time[k]), `open ${price(bars.open[k])}`, `high ${price(bars.high[k])}`, `low ${price(bars.low[k])}`, `close ${price(bars.close[k])}`,
      f >= 0 && said.value[f] !== null ? `forecast ${basis(said.value[f])}` : null, f >= 0 && band.low[f] !== null ? `90 % ${basis(band.low[f])} to ${basis(band.high[f])}` : null].filter(Boolean);
    fill(legend, parts.map((part) => el("span", {}, part)));
    return parts.join(", ");
  };
  const marks = () => {
    const series = chart.panes[0].series;
    for (const level of levels.splice(0)) series.splice(series.indexOf(level), 1);
    const position = status?.positions.find((each) => each.symbol === symbol);
    const add = (value, name, tone) => { if (value) { const level = { kind: "level", value, name, tone, indent: 110 * levels.length }; levels.push(level); series.push(level); } };
    if (position?.margin) add(position.margin.entry, "entry", "blue");
    if (position?.margin) add(position.margin.liquidation_price, "liquidation", "loss");
    for (const stop of status?.stops?.filter((each) => each.symbol === symbol) ?? []) add(stop.price, stop.kind.replaceAll("_", " "), "amber");
    const order = status?.pending.find((each) => each.symbol === symbol);
    if (order) add(order.provisional_price, `ordered ${quantity(order.quantity)}`, "violet");
  };
  const load = async (from, to) => {
    const wanted = symbol;
    const margin = from === null ? 0 : (to - from) * 0.05;
    const found = await ask(`${drawn(id)}/candles${query({ symbol: wanted, from: from === null ? null : Math.floor(from - margin), to: to === null ? null : Math.ceil(to + margin), points: 600 })}`);
    if (wanted !== symbol || !found.time.length) return;
    Object.assign(bars, { time: found.time, open: found.open, high: found.high, low: found.low, close: found.close });
    bars.step = found.time.length > 1 ? found.step_ms : step;
    Object.assign(fills, marksOf(found.fills));
    Object.assign(decided, marksOf(found.decisions));
    Object.assign(said, { time: found.forecast.time, value: found.forecast.value });
    Object.assign(band, { time: found.forecast.time, low: found.forecast.low, high: found.forecast.high });
    Object.assign(came, { time: found.forecast.time, value: found.forecast.came });
    Object.assign(held, { time: found.position.time, value: found.position.quantity });
    below.title = !found.near ? "zoom in to see decisions, fills, forecasts and positions" : found.forecast.head ? `${headName(found.forecast.head)}: forecast, its 90 % interval, what came` : "no forecasts";
    if (found.first !== null) {
      chart.setWhole(found.first, found.last + step, chart.range ? null : [Math.max(found.first, found.last - NEAR * step), found.last + step]);
    }
    chart.describe(`${wanted}, last close ${price(bars.close.at(-1))}, ${counted(found.fills.length, "fill")} shown. Arrow keys read the bars.`);
    chart.draw();
    tell(chart.cross);
  };
  drawTabs();
  return {
    node,
    update: async (state, parts) => {
      status = state.status;
      if (!parts.has("journal") && !parts.has("first")) return;
      marks();
      if (status.last_bar === null) return;
      if (!chart.range) {
        await load(status.last_bar - NEAR * step, status.last_bar);
        return;
      }
      const follows = chart.range[1] >= chart.whole[1];
      const width = chart.range[1] - chart.range[0];
      if (follows) await load(status.last_bar - width, status.last_bar);
    },
    end: () => chart.end(),
  };
}
