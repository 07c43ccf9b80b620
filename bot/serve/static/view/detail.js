// A bar of a symbol in full: the fill that was clicked and the decision behind it, or the decision at its close; its forecasts, the bar.

import { ask, query, run } from "../ask.js";
import { el } from "../dom.js";
import { amount, basis, headName, percent, price, quantity, shown, time, words } from "../format.js";
import { openDialog } from "./hand.js";

const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

const BEFORE = 200;

// Bars before the fill among which its decision is looked for: an order can stand, or be filled in parts.
export async function showBar(id, symbol, at, step, fill) {
  openDialog(`${symbol} · ${time(at)} UTC`, el("p", { class: "quiet" }, "Reading …"));
  try {
    const only = query({ symbol, from: at - BEFORE * step, to: at, limit: BEFORE + 1 });
    const here = query({ symbol, from: at, to: at, limit: 1 });
    const [bars, decisions, forecasts] = await Promise.all([
      ask(`${run(id)}/bars${here}`), ask(`${run(id)}/decisions${only}`), ask(`${run(id)}/forecasts${only}`)]);
    // what is filled at a bar's open was ordered at a close before it; of an order that is filled in parts, some bars before
    const earlier = decisions.items.filter((row) => row.open_time < at);
    const ordered = fill && earlier.filter((row) => Math.sign(row.order_quantity) === Math.sign(fill.quantity)).at(-1);
    const behind = fill?.reason === "signal" && ordered ? ordered : earlier.at(-1);
    const decision = fill ? behind : decisions.items.find((row) => row.open_time === at);
    const forecast = decision && forecasts.items.find((row) => row.open_time === decision.open_time);
    const [bar] = bars.items;
    openDialog(`${symbol} · ${time(at)} UTC`, fill ? fillPart(fill) : [], decision ? decisionPart(decision) : [], forecast ? forecastPart(forecast) : [], bar ? barPart(bar) : [],
      el("div", { class: "actions" }, el("button", { type: "button", on: { click: () => document.getElementById("dialog").close() } }, "Close")));
  } catch (error) {
    openDialog("Not read", el("p", { role: "alert" }, error.message));
  }
}

const fillPart = (fill) => [el("h3", {}, fill.quantity > 0 ? "Bought" : "Sold"), facts([
  ["quantity", quantity(Math.abs(fill.quantity))], ["price", price(fill.price)], ["notional", amount(fill.notional)], ["fee", amount(fill.fee)],
  ["half spread", amount(fill.spread)], ["slippage", amount(fill.slippage)], ["reason", words(fill.reason)]])];

const decisionPart = (row) => [el("h3", {}, `Decided at the close of ${time(row.open_time)}`), facts([
  ["signal", basis(row.signal)], ["expected edge", row.edge === null ? null : basis(row.edge)], ["had to exceed", row.hurdle === null ? null : basis(row.hurdle)],
  ["weight aimed at", row.weight === null ? null : quantity(row.weight)], ["ordered", quantity(row.order_quantity)], ["refused", row.refusal && words(row.refusal)], ["closes since the side was decided", row.age]])];

const forecastPart = (row) => [el("h3", {}, `Forecast by model ${row.model_id.slice(0, 8)}`), facts(
  Object.entries(row).filter(([name]) => !["open_time", "symbol", "model_id"].includes(name)).map(([name, value]) => [headName(name), value === null ? null : name.startsWith("return") ? basis(value) : name.startsWith("direction") ? `${percent(value, { digits: 1 })} up` : shown(name, value)]))];

const barPart = (row) => [el("h3", {}, "The bar"), facts([
  ["open", price(row.open)], ["high", price(row.high)], ["low", price(row.low)], ["close", price(row.close)], ["volume", quantity(row.volume)],
  ["bid at its open", row.fill_bid === null ? null : price(row.fill_bid)], ["ask at its open", row.fill_ask === null ? null : price(row.fill_ask)], ["funding", row.funding_rate ? basis(row.funding_rate) : null],
  ["decided on", row.tradable ? null : "no: it came too late"]])];
