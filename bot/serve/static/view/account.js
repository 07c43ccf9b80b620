// What is held and ordered, what decided, and how risk and the feed stand.

import { ask, query, run } from "../ask.js";
import { el, fill, section, table } from "../dom.js";
import { ago, amount, basis, count, counted, headName, percent, price, quantity, shown, time, tone, words } from "../format.js";

const SELDOM_MS = 20000;

export function account({ id }) {
  const positions = el("div"), coins = el("div"), orders = el("div"), decided = el("div"), risk = el("dl", { class: "facts" }), feed = el("dl", { class: "facts" });
  const node = el("div", {}, section("positions", "Positions and orders", positions, coins, orders), section("decisions", "Last decision", decided),
    el("div", { class: "columns" }, section("risk", "Risk", risk), section("feed", "Feed and process", feed)));
  let heard = [], askedAt = -Infinity;

  // What the log says of the feed: connections, gaps, and its newest counts; it is long, so seldom.
  const listen = async () => {
    if (performance.now() - askedAt < SELDOM_MS) return;
    askedAt = performance.now();
    const newest = async (name) => (await ask(`${run(id)}/events${query({ event: name, limit: 1 })}`)).items[0];
    const [connected, gap, feed] = await Promise.all(["connected", "gap_filled", "feed"].map(newest));
    const odd = Object.entries(feed?.fields ?? {}).filter(([, count]) => count).map(([name, number]) => `${count(number)} ${words(name)}`);
    heard = [
      ["reconnected", connected ? `${counted(Math.max(0, connected.fields.session - 1), "time")} since its start` : "not of late"],
      ["newest gap", gap ? `${counted(gap.fields.bars, "bar")} to ${time(gap.fields.last)}: ${words(String(gap.fields.reason))}` : "none of late"],
      ["oddities of the feed", odd.join(", ") || "none"],
    ];
  };
  const update = async ({ status }, parts) => {
    if (status.mode === "live" && (parts.has("log") || parts.has("first"))) await listen();
    fill(positions, table([
      { name: "symbol", of: (p) => p.symbol }, { name: "side", of: (p) => (p.quantity > 0 ? "long" : "short") },
      { name: "quantity", of: (p) => quantity(p.quantity), number: true }, { name: "entry", of: (p) => price(p.margin?.entry), number: true },
      { name: "last close", of: (p) => price(p.mark), number: true }, { name: "value", of: (p) => amount(p.value), number: true },
      { name: "open profit", of: (p) => profit(p), number: true }, { name: "of equity", of: (p) => percent(p.weight), number: true },
      { name: "liquidation", of: (p) => price(p.margin?.liquidation_price), number: true },
    ], status.positions, { caption: "Positions", empty: "Nothing is held." }));
    fill(coins, status.coins.length ? [el("h3", {}, `Cash ${amount(status.cash)}, and coins`), table([
      { name: "coin", of: (c) => c.coin }, { name: "symbol", of: (c) => c.symbol },
      { name: "balance", of: (c) => quantity(c.balance), number: true }, { name: "made by what is open", of: (c) => quantity(c.made), number: true },
      { name: "last close", of: (c) => price(c.mark), number: true },
      { name: "value of both", of: (c) => el("span", { class: tone(c.value) }, amount(c.value)), number: true },
    ], status.coins, { caption: "Coins" })] : []);
    fill(orders, status.pending.length ? [el("h3", {}, "Ordered for the next open"), table([
      { name: "symbol", of: (o) => o.symbol }, { name: "quantity", of: (o) => quantity(o.quantity), number: true },
      { name: "at about", of: (o) => price(o.provisional_price), number: true }, { name: "value", of: (o) => amount(o.provisional_value), number: true },
      { name: "reason", of: (o) => words(o.reason) }, { name: "decided", of: (o) => time(o.decided_at) },
    ], status.pending, { caption: "Orders" })] : []);
    fill(decided, table([
      { name: "symbol", of: ([symbol]) => symbol }, { name: "signal", of: ([, d]) => basis(d.signal), number: true },
      { name: "expected edge", of: ([, d]) => basis(d.edge), number: true }, { name: "had to exceed", of: ([, d]) => basis(d.hurdle), number: true },
      { name: "why", wide: true, of: ([symbol, d]) => d.why || words(status.refusals[symbol] ?? "") || "as the signal says" },
    ], Object.entries(status.decided), { caption: "What the last closed bar decided", empty: "No bar is closed yet." }));
    facts(risk, [
      ["halt", status.halted === "none" ? "none" : el("b", { class: "amber" }, status.halted)],
      ["by hand", status.paused === "no" ? "not paused" : el("b", { class: "amber" }, status.paused)],
      ["kill switch", status.stop_file ? el("b", { class: "loss" }, "STOP_TRADING is there") : "not there"],
      ["drawdown", `${percent(status.drawdown)}, stage ${status.risk.stage}`],
      ["lost in a row", count(status.risk.losses)],
      ["cooling down", status.risk.cooling_bars ? counted(status.risk.cooling_bars, "bar") : Object.keys(status.risk.cooling).join(", ") || "nothing"],
      ["margin used", status.margin ? `${percent(status.margin.used)}, ${status.margin.mode}` : "no contract is held"],
      ["set by hand", Object.entries(status.settings).map(([key, value]) => `${key} = ${shown(key, value)}`).join(", ") || "nothing"],
      ["intervals held", Object.entries(status.coverage).map(([head, share]) => `${headName(head)}: ${percent(share, { digits: 0 })}`).join("; ") || "not known yet"],
    ]);
    const beat = status.heartbeat;
    facts(feed, beat ? [
      ["process", status.pid === null ? "does not run" : `pid ${status.pid}, said so ${ago(status.heartbeat_age_ms)} ago`],
      ["connection", beat.connection], ["decided within", beat.lag_ms === null ? "–" : `${count(Math.round(beat.lag_ms))} ms of the last candle`],
      ["behind", status.behind_ms === null ? "–" : ago(Math.max(0, status.behind_ms))],
      ["refused as implausible", count(beat.implausible)], ["training", beat.training.replace(/\d{13}/, (ms) => time(Number(ms)))], ["next training", time(beat.next_training_ms)],
      ...heard,
      ["waits for", beat.waiting ?? "nothing"], ["clock", status.clock === "practice" ? `practice, ${count(status.clock_speed)} seconds a second` : status.clock], ["version", beat.version],
    ] : [["process", status.mode === "live" ? "has not spoken yet" : "a backtest: there is none"], ["clock", status.clock]]);
  };
  return { node, update };
}

function facts(place, pairs) {
  fill(place, pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function profit(position) {
  if (!position.margin?.entry) return "–";
  return el("span", { class: tone(position.margin.made) }, amount(position.margin.made));
}
