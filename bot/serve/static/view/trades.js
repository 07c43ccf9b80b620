// Fills, newest first, and round trips with what they earned; a fill leads to its decision.

import { ask, query, run } from "../ask.js";
import { el, fill, section, table } from "../dom.js";
import { amount, count, percent, price, quantity, time, tone, words } from "../format.js";
import { showBar } from "./detail.js";

const LENGTHS = { m: 60000, h: 3600000, d: 86400000 };
const MOST = 60;

export function trades({ id, interval }) {
  const step = Number(interval.slice(0, -1)) * LENGTHS[interval.at(-1)];
  const fills = el("div"), trips = el("div", {}, el("p", { class: "quiet" }, "Working out …"));
  const node = el("div", {}, section("fills", "Fills", fills), section("trips", "Round trips", trips));

  // All fills from a time on: pages begin with the oldest, and the newest are wanted.
  const since = async (from) => {
    const items = [];
    let cursor = null;
    do {
      const page = await ask(`${run(id)}/fills${query({ from, limit: 10000, cursor })}`);
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== null);
    return items;
  };
  const update = async ({ status }, parts) => {
    if (!parts.has("journal") || status.last_bar === null) return;
    let items = [];
    for (let bars = 8; ; bars *= 8) {
      items = await since(status.last_bar - bars * step);
      if (items.length >= MOST || items.length >= status.fills || bars > 2e6) break;
    }
    const notional = (f) => Math.abs(f.quantity) * (status.inverse.includes(f.symbol) ? 1 : f.price);
    items = items.map((f) => ({ ...f, notional: notional(f) }));
    fill(fills, table([
      { name: "time", of: (f) => time(f.open_time) }, { name: "symbol", of: (f) => f.symbol }, { name: "side", of: (f) => (f.quantity > 0 ? "bought" : "sold") },
      { name: "quantity", of: (f) => quantity(Math.abs(f.quantity)), number: true }, { name: "price", of: (f) => price(f.price), number: true },
      { name: "notional", of: (f) => amount(f.notional), number: true }, { name: "fee", of: (f) => amount(f.fee), number: true }, { name: "reason", of: (f) => words(f.reason) },
    ], items.slice(-MOST).reverse(), { caption: "Fills, newest first", empty: "Nothing was filled yet.", onRow: (f) => showBar(id, f.symbol, f.open_time, step, f) }),
    el("p", { class: "quiet" }, `${count(Math.min(MOST, items.length))} of ${count(status.fills)}; the API has all, as JSON, CSV or Arrow.`));
  };
  const analysed = ({ result }) => {
    if (!result) return;
    const rows = result.trips.toReversed();
    const won = result.trips_won;
    fill(trips, table([
      { name: "closed", of: (t) => time(t.closed) }, { name: "symbol", of: (t) => t.symbol }, { name: "side", of: (t) => t.side }, { name: "bars", of: (t) => count(t.bars), number: true },
      { name: "net profit", of: (t) => el("span", { class: tone(t.profit) }, amount(t.profit)), number: true }, { name: "of equity", of: (t) => percent(t.profit_fraction, { sign: true }), number: true },
    ], rows, { caption: "Round trips, newest first", empty: "No position was opened and closed yet." }),
    el("p", { class: "quiet" }, `${count(rows.length)} of ${count(result.trips_all)}${result.trips_all ? `; ${percent(won / result.trips_all, { digits: 0 })} of all won` : ""}. As of the bar of ${time(result.last_bar)} UTC.`));
  };
  return { node, update, analysed };
}
