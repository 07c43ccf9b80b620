// The report's page: its charts, and its table of round trips. All data are in the page; nothing is asked of anyone.

const data = JSON.parse(document.getElementById("data").textContent);
const padded = (n) => String(n).padStart(2, "0");
const MINUS = "−";
const signed = (text) => text.replace("-", MINUS);
const grouped = (value, digits) => signed(value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

const WRITE = {
  amount: (v) => grouped(v, Math.abs(v) < 100 && v % 1 ? 2 : 0),
  percent: (v) => `${grouped(100 * v, Math.abs(v) < 0.1 ? 2 : 1)} %`,
  ratio: (v) => grouped(v, 2),
  count: (v) => grouped(v, v % 1 ? 1 : 0),
  price: (v) => signed(v.toLocaleString("en-US", { maximumSignificantDigits: 8 })),
};
// On an axis: as many digits as tell its levels apart.
const AXIS = {
  amount: (v, span) => (Math.abs(v) >= 1e6 ? `${grouped(v / 1e6, span < 4e6 ? 2 : span < 2e7 ? 1 : 0)} M` : grouped(v, span < 4 ? 2 : 0)),
  percent: (v, span) => `${grouped(100 * v, span < 0.004 ? 3 : span < 0.04 ? 2 : span < 0.2 ? 1 : 0)} %`,
  ratio: (v, span) => grouped(v, span < 1 ? 2 : span < 6 ? 1 : 0),
  count: (v) => grouped(v, 0),
  price: (v) => signed(v.toLocaleString("en-US", { maximumSignificantDigits: 6 })),
};

function moment(ms) {
  const at = new Date(ms);
  return `${at.getUTCFullYear()}-${padded(at.getUTCMonth() + 1)}-${padded(at.getUTCDate())} ${padded(at.getUTCHours())}:${padded(at.getUTCMinutes())}`;
}

function timesOf({ from, unit, steps }) {
  let at = from;
  return steps.map((step) => (at += step * unit));
}

function logTicks(low, high, most) {
  const found = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    for (const lead of [1, 2, 5]) {
      const at = power + Math.log10(lead);
      if (at >= low && at <= high) found.push(at);
    }
  }
  return found.length >= 2 ? found : ticks(low, high, most);
}

// --- charts over time: zoomed together ---------------------------------------------------------

const together = [];

function zoomAll(from, to, but) {
  for (const chart of together) {
    if (chart === but) continue;
    const [first, last] = chart.whole;
    chart.range = from >= last || to <= first ? [first, last] : [Math.max(from, first), Math.min(to, last)];
    chart.draw();
    chart.refine?.();
  }
}

// A chart with its bar: what is under the cross, and buttons for those without a wheel.
function timed(place, label, panes, keys, hooks = {}) {
  const when = el("span", { class: "when" });
  const values = keys.map((key) => {
    const value = el("b");
    const box = el("i", { class: "key" });
    box.style.background = `var(--${key.tone})`;
    return { ...key, value, node: el("span", {}, box, `${key.name} `, value) };
  });
  const button = (words, title, act) => el("button", { type: "button", "aria-label": title, title, on: { click: act } }, words);
  const said = (time) => {
    when.textContent = time === null ? "" : moment(time);
    for (const key of values) {
      key.value.textContent = time === null ? "" : key.read(time);
      key.node.hidden = time === null && Boolean(key.again);
    }
    hooks.hover?.(time);
    return time === null ? "" : `${moment(time)}: ${values.map((k) => `${k.name} ${k.read(time)}`).join(", ")}`;
  };
  const chart = new TimeChart(label, panes, {
    hover: said, opened: hooks.opened,
    moved: (from, to) => { zoomAll(from, to, chart); chart.refine?.(); },
  });
  const buttons = el("span", { class: "buttons" },
    button("+", "Zoom in", () => chart.zoom(0.5)), button(MINUS, "Zoom out", () => chart.zoom(2)),
    button("all", "Show all", () => chart.show(...chart.whole)));
  place.append(el("div", { class: "bar" }, when, values.map((key) => key.node), buttons), chart.node);
  said(null);
  together.push(chart);
  return chart;
}

// A symbol's name where there is little room.
const brief = (name) => { const short = name.split(":").pop().replace(/(USDT|USDC|USD)$/, ""); return short.length > 8 ? `${short.slice(0, 7)}…` : short; };

const valueAt = (times, values, write) => (time) => {
  const value = values[nearest(times, time)];
  return value === null || value === undefined ? "–" : write(value);
};

function overTime(place, given) {
  const time = timesOf(given.t);
  const keys = [];
  const panes = given.panels.map((panel, place_) => {
    const series = panel.series.map((s) => {
      const again = keys.some((known) => known.name === s.name);
      keys.push({ name: place_ ? `${panel.label}, ${s.name}` : s.name, tone: s.colour, again: place_ > 0 && again, read: valueAt(time, s.y, WRITE[panel.unit]) });
      const value = panel.log ? s.y.map((v) => (v === null ? null : Math.log10(v))) : s.y;
      return { kind: s.area ? "area" : "line", name: s.name, tone: s.colour, fill: `fill${s.colour}`, time, value };
    });
    if (panel.zero) series.unshift({ kind: "level", name: "", value: 0, tone: "faint", stretches: true });
    if (given.marks?.length) series.push({ kind: "moments", time: given.marks, tone: "faint" });
    const write = AXIS[panel.unit];
    return {
      title: panel.label, height: panel.height, series, pad: 0.04,
      ...(panel.log ? { ticks: logTicks, write: (v) => write(10 ** v, Infinity) } : { write }),
    };
  });
  for (const strip of given.strips ?? []) {
    keys.push({ name: strip.name, tone: "blue", again: true, read: valueAt(time, strip.y, WRITE.percent) });
    const series = [{ kind: "strip", time, value: strip.y, step: given.step, largest: strip.largest, tone: "blue", below: "amber" }];
    panes.push({ height: 12, series, pad: 0, ticks: () => [0.5], write: () => brief(strip.name) });
  }
  const chart = timed(place, given.says, panes, keys);
  chart.setWhole(time[0], time[time.length - 1] + (given.step ?? 0));
  chart.describe(`From ${moment(time[0])} to ${moment(time[time.length - 1])}.`);
  chart.draw();
}

// --- columns: returns by year, distributions, groups --------------------------------------------

function columns(place, given, told) {
  const said = el("div", { class: "bar" });
  const drawing = svg("svg", { role: "img", "aria-label": given.says, height: 230 });
  place.append(said, drawing);
  const reset = () => fill(said, given.series.map((s) => key(s)), given.line ? key(given.line) : null);
  const draw = () => drawColumns(drawing, given, place.clientWidth);
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const left = Number(drawing.dataset.left), right = Number(drawing.dataset.right);
    const k = Math.floor(((event.clientX - box.left - left) / (right - left)) * given.names.length);
    if (k < 0 || k >= given.names.length) { reset(); return; }
    const parts = [...given.series, ...(given.line ? [given.line] : [])].map((s) => el("span", {}, key(s), " ", el("b", {}, s.y[k] === null ? "–" : WRITE[given.unit](s.y[k]))));
    fill(said, el("span", { class: "when" }, given.names[k]), given.series.length > 1 || given.line ? parts : el("b", {}, WRITE[given.unit](given.series[0].y[k])), told?.(k));
  });
  drawing.addEventListener("pointerleave", reset);
  new ResizeObserver(draw).observe(place);
  reset();
  draw();
}

function key(series) {
  const box = el("i", { class: "key" });
  box.style.background = `var(--${series.colour})`;
  return el("span", {}, box, series.name);
}

function drawColumns(drawing, given, width) {
  if (!width) return;
  const height = 230, left = 4, right = width - 62, top = 12, bottom = height - 24;
  Object.assign(drawing.dataset, { left, right });
  const all = [...given.series, ...(given.line ? [given.line] : [])].flatMap((s) => s.y).filter((v) => v !== null);
  const low = Math.min(0, ...all), high = Math.max(0, ...all);
  const room = (high - low || 1) * 0.05;
  const y = new Scale(low < 0 ? low - room : 0, high + room, bottom, top);
  const parts = [];
  for (const level of ticks(y.low, y.high, 5)) {
    const at = Math.round(y.at(level)) + 0.5;
    parts.push(svg("path", { d: `M${left} ${at}H${right}`, class: level === 0 ? "zero" : "grid" }));
    parts.push(svg("text", { x: right + 8, y: at + 4 }, AXIS[given.unit](level, y.high - y.low)));
  }
  const step = (right - left) / given.names.length;
  const wide = Math.max(1, Math.min(46, (step * 0.76) / given.series.length));
  given.series.forEach((s, j) => s.y.forEach((value, k) => {
    if (!value) return;
    const x = left + step * (k + 0.5) + wide * (j - given.series.length / 2);
    const [a, b] = [y.at(0), y.at(value)];
    const tone = given.series.length === 1 && value < 0 ? "loss" : s.colour;
    parts.push(svg("rect", { x, y: Math.min(a, b), width: Math.max(1, wide - 1), height: Math.max(1, Math.abs(a - b)), class: `f-${tone}` }));
  }));
  if (given.line) {
    const d = given.line.y.map((v, k) => `${k ? "L" : "M"}${(left + step * (k + 0.5)).toFixed(1)} ${y.at(v).toFixed(1)}`).join("");
    parts.push(svg("path", { d, class: `line s-${given.line.colour}` }));
  }
  const longest = Math.max(...given.names.map((name) => name.length)) * 6.6 + 10;
  const every = Math.max(1, Math.ceil(longest / step));
  const first = Math.max(0, Math.ceil((longest / 2 - 4 - step / 2) / step));  // whose name does not begin outside
  given.names.forEach((name, k) => {
    if (k < first || (k - first) % every) return;
    parts.push(svg("text", { x: left + step * (k + 0.5), y: height - 6, "text-anchor": "middle" }, name));
  });
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.replaceChildren(...parts);
}

const GROUPS = { symbol: "by symbol", side: "by side", hour: "by hour of entry (UTC)", weekday: "by weekday of entry", reason: "by reason of the end", held: "by time held" };

function groups(place, given) {
  const drawn = el("div");
  const chips = Object.keys(GROUPS).filter((name) => given.groups[name]).map((name) =>
    el("button", { type: "button", "aria-pressed": "false", on: { click: () => choose(name) } }, GROUPS[name]));
  const names = Object.keys(GROUPS).filter((name) => given.groups[name]);
  function choose(name) {
    chips.forEach((chip, k) => chip.setAttribute("aria-pressed", String(names[k] === name)));
    const group = given.groups[name];
    drawn.replaceChildren();
    columns(drawn, { says: `${given.says} ${GROUPS[name]}`, names: group.names, unit: "amount", series: [{ name: "net profit", colour: "blue", y: group.profit }] },
      (k) => [el("span", {}, `${grouped(group.count[k], 0)} ${group.count[k] === 1 ? "trip" : "trips"}`), el("span", {}, `${group.won[k] === null ? "–" : WRITE.percent(group.won[k])} won`), el("span", {}, `${WRITE.ratio(1e4 * group.mean[k])} bp each`)]);
  }
  place.append(el("div", { class: "bar chips" }, chips), drawn);
  choose(names[0]);
}

// --- candles with the trips in them -------------------------------------------------------------

const MARKED = 250;
const trades = data.trades;
let showTrip = null;

function market(place, symbols) {
  const note = el("p", { class: "note" }), chosen = el("p", { class: "chosen", "aria-live": "polite" });
  const choice = el("select", { "aria-label": "Symbol", on: { change: () => { chosen.textContent = ""; choose(Number(choice.value)); } } }, symbols.map((s, k) => el("option", { value: String(k) }, s.name)));
  const candles = { kind: "candles", time: [], open: [], high: [], low: [], close: [], step: 1 };
  const marks = { kind: "marks", time: [], value: [], up: [], tones: [], marked: [] };
  let now = null;
  const at = (name) => (time) => { const v = candles[name][nearest(candles.time, time)]; return v === undefined ? "" : WRITE.price(v); };
  const pane = { height: 330, series: [candles, marks], write: AXIS.price, pad: 0.08 };
  const inner = el("div");
  const chart = timed(inner, "Candles with entries and exits", [pane],
    ["open", "high", "low", "close"].map((name) => ({ name, tone: "faint", read: at(name) })), { opened: (k) => { chosen.textContent = sayTrip(k); } });
  place.append(symbols.length > 1 ? el("div", { class: "bar" }, choice) : "", inner, chosen, note);

  function choose(k) {
    choice.value = String(k);
    now = symbols[k];
    now.time ??= timesOf(now.t);
    chart.setWhole(now.time[0], now.time[now.time.length - 1], chart.range ?? undefined);
    chart.describe(`${now.name}, from ${moment(chart.whole[0])} to ${moment(chart.whole[1])}.`);
    chart.refine();
  }

  // As many candles as there is room for, and the trips among them that mattered most.
  chart.refine = () => {
    const [from, to] = chart.range;
    const first = Math.max(0, indexAt(now.time, from) - 1), last = Math.min(now.time.length - 1, indexAt(now.time, to) + 1);
    const room = Math.max(60, (inner.clientWidth || 900) / 5);
    const size = Math.max(1, Math.ceil((last - first + 1) / room));
    for (const name of ["time", "open", "high", "low", "close"]) candles[name] = [];
    for (let k = first - (first % size); k <= last; k += size) {
      const stop = Math.min(k + size, now.time.length);
      candles.time.push(now.time[k]);
      candles.open.push(now.o[k]);
      candles.high.push(Math.max(...now.h.slice(k, stop)));
      candles.low.push(Math.min(...now.l.slice(k, stop)));
      candles.close.push(now.c[stop - 1]);
    }
    candles.step = (now.time[1] - now.time[0] || 1) * size;
    const inside = [];
    const place_ = trades.symbols.indexOf(now.name);
    trades.symbol.forEach((s, k) => { if (s === place_ && 1000 * trades.exit[k] >= from && 1000 * trades.entry[k] <= to) inside.push(k); });
    const shown = inside.length <= MARKED ? inside : inside.sort((a, b) => Math.abs(trades.profit[b]) - Math.abs(trades.profit[a])).slice(0, MARKED);
    const all = shown.flatMap((k) => [
      { time: 1000 * trades.entry[k], value: trades.bought[k], up: trades.side[k] > 0, tone: trades.side[k] > 0 ? "blue" : "amber", k },
      { time: 1000 * trades.exit[k], value: trades.sold[k], up: trades.side[k] < 0, tone: trades.profit[k] >= 0 ? "gain" : "loss", k },
    ]).filter((mark) => mark.value !== null).sort((a, b) => a.time - b.time);
    marks.time = all.map((m) => m.time); marks.value = all.map((m) => m.value); marks.up = all.map((m) => m.up);
    marks.tones = all.map((m) => m.tone); marks.marked = all.map((m) => String(m.k));
    const cut = shown.length < inside.length ? ` Of ${grouped(inside.length, 0)} round trips here the ${MARKED} that won or lost most are marked: zoom in for the others.` : "";
    note.textContent = `A candle is ${size * now.bars === 1 ? "a bar" : `${grouped(size * now.bars, 0)} bars`}. Blue and amber: a long and a short are entered; green and red: what ended with a profit and with a loss.${cut}`;
    chart.draw();
  };

  showTrip = (k) => {
    const symbol = symbols.findIndex((s) => s.name === trades.symbols[trades.symbol[k]]);
    if (symbol < 0) return;
    choose(symbol);
    const [from, to] = [1000 * trades.entry[k], 1000 * trades.exit[k]];
    const around = Math.max(3 * (to - from), 40 * now.t.unit);
    chart.show(from - around, to + around);
    chart.refine();
    chosen.textContent = sayTrip(k);
    place.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "center" });
  };
  choose(0);
}

function sayTrip(k) {
  const side = trades.side[k] > 0 ? "Long" : "Short";
  return `${side} ${trades.symbols[trades.symbol[k]]}, ${moment(1000 * trades.entry[k])} to ${moment(1000 * trades.exit[k])}: ${WRITE.price(trades.quantity[k])} in at ${WRITE.price(trades.bought[k] ?? NaN)}, out at ${WRITE.price(trades.sold[k] ?? NaN)}; net ${WRITE.amount(trades.profit[k])} (${WRITE.ratio(trades.share[k])} bp), ended by ${trades.reason[k].replaceAll("_", " ") || "nothing named"}.`;
}

// --- the table of round trips -------------------------------------------------------------------

const FIELDS = [
  ["entry", "entered", (v) => moment(1000 * v)], ["symbol", "symbol", (v) => trades.symbols[v]], ["side", "side", (v) => (v > 0 ? "long" : "short")],
  ["bars", "bars held", (v) => grouped(v, 0), true], ["quantity", "quantity", (v) => WRITE.price(v), true], ["bought", "in at", (v) => (v === null ? "–" : WRITE.price(v)), true],
  ["sold", "out at", (v) => (v === null ? "–" : WRITE.price(v)), true], ["costs", "fees, funding", (v) => WRITE.ratio(v), true], ["profit", "net profit", (v) => grouped(v, 2), true],
  ["share", "bp of equity", (v) => WRITE.ratio(v), true], ["reason", "ended by", (v) => v.replaceAll("_", " ")],
];
const AT_ONCE = 15;

function tradeTable(place) {
  let by = "entry", down = true, shown = AT_ONCE, only = "";
  const order = [...trades.entry.keys()];
  const body = el("tbody"), count = el("span");
  const more = el("button", { type: "button", on: { click: () => { shown += 5 * AT_ONCE; draw(); } } }, "show more");
  const heads = FIELDS.map(([name, words, , number]) => el("th", { scope: "col", class: number ? "n" : null },
    el("button", { type: "button", on: { click: () => { down = by === name ? !down : true; by = name; sort(); } } }, words)));
  const filter = el("select", { "aria-label": "Which round trips", on: { change: () => { only = filter.value; draw(); } } },
    el("option", { value: "" }, "all"), el("option", { value: "won" }, "won"), el("option", { value: "lost" }, "lost"), el("option", { value: "long" }, "long"), el("option", { value: "short" }, "short"),
    trades.symbols.length > 1 ? trades.symbols.map((name, k) => el("option", { value: String(k) }, name)) : null);
  const kept = (k) => only === "" || (only === "won" ? trades.profit[k] > 0 : only === "lost" ? trades.profit[k] < 0 : only === "long" ? trades.side[k] > 0 : only === "short" ? trades.side[k] < 0 : trades.symbol[k] === Number(only));
  function sort() {
    const column = trades[by];
    const text = by === "reason" || by === "symbol";
    const worth = (k) => (by === "symbol" ? trades.symbols[column[k]] : column[k]);
    order.sort((a, b) => (text ? worth(a).localeCompare(worth(b)) : (worth(a) ?? -Infinity) - (worth(b) ?? -Infinity)) * (down ? -1 : 1) || b - a);
    draw();
  }
  function draw() {
    const found = order.filter(kept);
    FIELDS.forEach(([name], j) => { if (name === by) heads[j].setAttribute("aria-sort", down ? "descending" : "ascending"); else heads[j].removeAttribute("aria-sort"); });
    body.replaceChildren(...found.slice(0, shown).map((k) => {
      const cells = FIELDS.map(([name, , write, number], j) => {
        const tone = name === "profit" ? (trades.profit[k] >= 0 ? " good" : " bad") : "";
        const inside = j === 0 ? el("button", { type: "button", class: "plain", title: "Show it among the candles", on: { click: () => showTrip?.(k) } }, write(trades[name][k])) : write(trades[name][k]);
        return el("td", { class: `${number ? "n" : ""}${tone}` }, inside);
      });
      return el("tr", {}, cells);
    }));
    more.hidden = shown >= found.length;
    count.textContent = `${grouped(Math.min(shown, found.length), 0)} of ${grouped(found.length, 0)}${trades.total > trades.entry.length ? ` (the newest ${grouped(trades.entry.length, 0)} of ${grouped(trades.total, 0)})` : ""}`;
  }
  place.append(el("div", { class: "pager" }, filter, count),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Round trips" }, el("table", { class: "trades" }, el("thead", {}, el("tr", {}, heads)), body)), el("div", { class: "pager" }, more));
  sort();
}

// --- all of it ----------------------------------------------------------------------------------

const DRAW = { time: overTime, columns, groups };

for (const place of document.querySelectorAll("[data-chart]")) {
  const name = place.dataset.chart;
  if (name === "market") market(place, data.market);
  else if (name === "trades") tradeTable(place);
  else DRAW[data.charts[name].kind](place, data.charts[name]);
}
