// What the report says: edge against cost, heads against their baselines, calibration, controls, costs.

import { el, fill, section, svg, table } from "../dom.js";
import { amount, basis, count, headName, percent, ratio, time, tone, words } from "../format.js";

const MEASURES = {
  mse_skill: "MSE skill", rank_ic: "rank IC", rank_ic_by_symbol: "rank IC, mean by symbol", auc: "AUC", log_loss_skill: "log-loss skill",
  brier_skill: "Brier skill", hit_rate_gain: "hit-rate gain", qlike_skill: "QLIKE skill",
};
const COSTS = [["gross", "gross profit"], ["fees", "fees"], ["spread", "half spread"], ["slippage", "slippage"], ["funding", "funding"], ["net", "net profit"]];

export function judged() {
  const says = el("p", { class: "quiet", role: "status" }, "Working out skill, controls and costs …");
  const edge = el("div"), heads = el("div"), controls = el("div"), costs = el("div");
  const node = el("div", {}, section("edge", "Edge against cost", says, edge), section("heads", "Heads against their baselines", heads),
    el("div", { class: "columns" }, section("controls", "Against controls", controls), section("costs", "Costs", costs)));
  const analysed = ({ result, fault, under_way: underWay }) => {
    if (!result) {
      says.textContent = fault ? `It cannot be worked out: ${fault}` : underWay ? "Working out skill, controls and costs …" : "";
      return;
    }
    const { summary } = result;
    says.textContent = `As of the bar of ${time(result.last_bar)} UTC${underWay ? "; working out newer figures …" : "."} ${summary.edge.warning ?? ""}`;
    drawEdge(edge, summary.edge);
    drawHeads(heads, summary);
    drawControls(controls, summary);
    drawCosts(costs, summary.costs);
  };
  return { node, analysed };
}

function drawEdge(place, edge) {
  const rows = edge.tenths?.rows ?? [];
  const reach = Math.max(1, ...rows.flatMap((r) => [r.expected_bps, r.realised_bps, r.low_bps, r.high_bps].filter((v) => v !== null).map(Math.abs)));
  fill(place, el("p", {}, edge.edge_bps === null || edge.edge_bps === undefined ? "Nothing was traded yet, so there is no edge to measure." : [
    "A side traded earned ", el("b", {}, `${ratio(edge.edge_bps, 1)} bp`), ` before costs [${ratio(edge.edge_low_bps, 1)}, ${ratio(edge.edge_high_bps, 1)}] and cost `, el("b", {}, `${ratio(edge.cost_bps, 1)} bp`),
    `: ${ratio(edge.edge_to_cost, 2)} times its cost.`]),
  rows.length ? table([
    { name: "tenth of signals", of: (r) => count(r.tenth) }, { name: "rows", of: (r) => count(r.count), number: true },
    { name: "expected, bp", of: (r) => ratio(r.expected_bps, 1), number: true }, { name: "came, bp", of: (r) => ratio(r.realised_bps, 1), number: true },
    { name: "95 % interval of what came", of: (r) => interval(r.low_bps, r.high_bps, r.realised_bps, reach, `${ratio(r.low_bps, 1)} to ${ratio(r.high_bps, 1)} bp`) },
    { name: "cost, bp", of: (r) => ratio(r.cost_bps, 1), number: true },
  ], rows, { caption: "What signals of each size brought" }) : null);
}

// A value with its interval on an axis from -reach to +reach; a tick at nothing.
function interval(low, high, value, reach, label, none = 0) {
  if (low === null || high === null || low === undefined) return "–";
  const x = (v) => `${(50 + (48 * Math.max(-reach, Math.min(reach, v - none))) / reach).toFixed(1)}%`;
  const line = (x1, x2, y1, y2, stroke, width) => svg("line", { x1, x2, y1, y2, stroke, "stroke-width": width });
  return el("div", { class: "meter" }, svg("svg", { role: "img", "aria-label": label },
    line("50%", "50%", "-4", "10", "var(--faint)", 1), line(x(low), x(high), "3", "3", low > none ? "var(--gain)" : high < none ? "var(--loss)" : "var(--soft)", 3),
    svg("circle", { cx: x(value), cy: 3, r: 4, fill: "var(--ink)" })));
}

const written = (name, value) => (value === null || value === undefined ? "–" : name === "hit_rate_gain" ? percent(value) : ratio(value, 4));

function drawHeads(place, { skill, calibration }) {
  const rows = Object.entries(skill).flatMap(([task, head]) => Object.entries(head.measures).map(([measure, found], k) => ({ task, head, measure, found, first: k === 0 })));
  const against = Object.entries(skill).filter(([, head]) => head.against?.strongest);
  fill(place, table([
    { name: "head", of: (r) => (r.first ? el("b", {}, headName(r.task)) : "") }, { name: "measure", of: (r) => MEASURES[r.measure] ?? words(r.measure) },
    { name: "value", of: (r) => written(r.measure, r.found.value), number: true },
    { name: "95 % interval", of: (r) => (r.found.low === null ? "–" : `${written(r.measure, r.found.low)} to ${written(r.measure, r.found.high)}`) },
    { name: "against", wide: true, of: (r) => (r.first ? r.head.baseline : "") }, { name: "verdict", of: (r) => el("span", { class: verdictTone(r.found.verdict) }, r.found.verdict ?? "–") },
  ], rows, { caption: "Skill of each head", empty: "There are no forecasts to judge yet." }),
  against.length ? [el("h3", {}, "Against the strongest baseline"), table([
    { name: "head", of: ([task]) => headName(task) }, { name: "chosen", of: ([, h]) => Object.keys(h.against.chosen).map(words).join(", ") }, { name: "measure", of: ([, h]) => MEASURES[h.against.measure] ?? words(h.against.measure) },
    { name: "value", of: ([, h]) => written(h.against.measure, h.against.strongest.value), number: true }, { name: "verdict", of: ([, h]) => el("span", { class: verdictTone(h.against.strongest.verdict) }, h.against.strongest.verdict) },
  ], against, { caption: "Skill against the strongest baseline" })] : null,
  Object.keys(calibration).length ? [el("h3", {}, "Whether it came as often as was said"), table([
    { name: "head", of: ([task]) => headName(task) }, { name: "inside its 90 % interval", of: ([, c]) => (c.coverage ? `${percent(c.coverage.value, { digits: 1 })}` : "–"), number: true },
    { name: "mean width", of: ([task, c]) => (c.coverage ? (task.startsWith("return") ? basis(c.coverage.mean_width) : ratio(c.coverage.mean_width, 4)) : "–"), number: true },
    { name: "slope of what came on what was said", of: ([, c]) => (c.slope ? `${ratio(c.slope.value)} [${ratio(c.slope.low)}, ${ratio(c.slope.high)}]` : "–"), number: true },
  ], Object.entries(calibration), { caption: "Calibration of each head" })] : null);
}

const verdictTone = (verdict = "") => (verdict?.startsWith("skill") ? "gain" : verdict?.startsWith("worse") ? "loss" : "");

function drawControls(place, { metrics, edge }) {
  const of = (name, found) => ({ name, total: found?.total_return, down: found?.max_drawdown, trades: found?.trades });
  const rows = [of("this run", metrics), of("buy and hold", edge.controls.buy_and_hold), of("momentum", edge.controls.momentum), of("standing flat", edge.controls.flat)];
  const random = edge.controls.random;
  fill(place, table([
    { name: "", of: (r) => r.name }, { name: "total", of: (r) => el("span", { class: tone(r.total) }, percent(r.total, { sign: true })), number: true },
    { name: "deepest drawdown", of: (r) => percent(r.down), number: true }, { name: "trips", of: (r) => count(r.trades), number: true },
  ], rows, { caption: "The run against controls" }),
  random?.total_return === null || !random ? null : el("p", { class: "quiet" }, `Of ${count(random.draws)} random twins with as many trips, the run beats ${percent(random.percentile, { digits: 0 })}; 19 in 20 of theirs end between ${percent(random.low)} and ${percent(random.high)}.`),
  el("p", { class: "quiet" }, `Sharpe ratio ${ratio(metrics.sharpe_ratio)} ± ${ratio(metrics.sharpe_error)}, Sortino ${ratio(metrics.sortino_ratio)}.`));
}

function drawCosts(place, costs) {
  const reach = Math.max(...COSTS.map(([key]) => Math.abs(costs[key] ?? 0)), 1);
  fill(place, table([
    { name: "", of: ([, name]) => name },
    { name: "amount", of: ([key]) => amount(key === "gross" || key === "net" ? costs[key] : -costs[key]), number: true },
    { name: "share", of: ([key]) => share(key === "gross" || key === "net" ? costs[key] : -costs[key], reach) },
  ], COSTS, { caption: "From gross to net" }));
}

function share(value, reach) {
  const size = `${((50 * Math.abs(value)) / reach).toFixed(1)}%`;
  const x = value < 0 ? `${(50 - (50 * Math.abs(value)) / reach).toFixed(1)}%` : "50%";
  return el("div", { class: "meter" }, svg("svg", { role: "img", "aria-label": amount(value) }, svg("rect", { x, y: 0, width: size, height: 6, rx: 2, fill: value < 0 ? "var(--loss)" : "var(--gain)" })));
}
