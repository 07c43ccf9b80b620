// A chart over time: panes one above the other on one axis, with hover, zoom and keys.
//
// Once clicked, the wheel zooms about the pointer, as a pinch does; dragging moves, a double click shows all. With the keyboard
// the arrows move the cross, + and - zoom, Home shows all, Enter opens what is marked there.

import { drawSeries, spanOf } from "./series.js";
import { Scale, nearest, ticks, timeTicks } from "./scale.js";
import { el } from "./element.js";

const RIGHT = 68, BOTTOM = 22, GAP = 14, TITLE = 12;
const above = (pane) => GAP + (pane.title ? TITLE : 0);
const SETTLED_MS = 160;
const CLICKABLE = new Set(["marks", "rings"]);

export class TimeChart {
  // panes: [{height, series, write: (value, span, step) => text, zero, pad, ticks}]; hooks: moved(from, to), hover(time), opened(mark)
  constructor(label, panes, hooks = {}) {
    Object.assign(this, { panes, hooks, cross: null, range: null, whole: null, pointers: new Map() });
    this.canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": label });
    this.told = el("p", { class: "unseen", "aria-live": "polite" });
    this.node = el("div", { class: "chart" }, this.canvas, this.told);
    this.label = label;
    this.listen();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.node);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.redraw = () => this.draw());
  }

  end() {
    this.observer.disconnect();
    this.dark.removeEventListener("change", this.redraw);
  }

  // What there is in all, and what is shown of it; where the newest was shown it stays shown.
  setWhole(first, last, shown = null) {
    const followed = !this.range || !this.whole || this.range[1] >= this.whole[1];
    const old = this.whole;
    this.whole = [first, last];
    if (!this.range || shown) this.range = shown ?? [first, last];
    else if (followed && old) {
      const width = this.range[1] - this.range[0];
      this.range = this.range[0] <= old[0] ? [first, last] : [last - width, last];
    }
  }

  describe(text) { this.canvas.setAttribute("aria-label", `${this.label}. ${text}`); }

  draw() {
    const width = this.node.clientWidth;
    if (!width || !this.range) return;
    const height = this.panes.reduce((sum, pane) => sum + above(pane) + pane.height, BOTTOM);
    const dots = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * dots);
    this.canvas.height = Math.round(height * dots);
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(dots, dots);
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(`--${name}`).trim() || name;
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const x = this.x = new Scale(this.range[0], this.range[1], 2, width - RIGHT);
    const grid = timeTicks(x.low, x.high, Math.max(2, (width - RIGHT) / 92));
    let top = 0;
    for (const pane of this.panes) {
      this.drawPane(pen, pane, { top: top + above(pane), ink, grid });
      top += above(pane) + pane.height;
    }
    pen.fillStyle = ink("soft");
    pen.textAlign = "center";
    for (const { at, says } of grid) if (x.at(at) > 16 && x.at(at) < x.to - 8) pen.fillText(says, x.at(at), height - 6);
    if (this.cross !== null) this.drawCross(pen, ink, height - BOTTOM);
  }

  drawPane(pen, pane, { top, ink, grid }) {
    const { x } = this;
    const span = spanOf(pane.series, x);
    const [low, high] = span ?? [0, 1];
    const room = (high - low || Math.abs(high) || 1) * (pane.pad ?? 0.06);
    const lowest = pane.zero === "top" ? low - room : pane.zero === "bottom" ? 0 : low - room;
    const y = pane.y = new Scale(lowest, pane.zero === "top" ? 0 : high + room, top + pane.height, top);
    pen.lineWidth = 1;
    pen.strokeStyle = ink("rule");
    pen.beginPath();
    for (const { at } of grid) { pen.moveTo(Math.round(x.at(at)) + 0.5, top); pen.lineTo(Math.round(x.at(at)) + 0.5, top + pane.height); }
    const levels = !span ? [] : (pane.ticks ?? ticks)(y.low, y.high, Math.max(2, pane.height / 40));
    for (const value of levels) { const py = Math.round(y.at(value)) + 0.5; pen.moveTo(x.from, py); pen.lineTo(x.to, py); }
    pen.stroke();
    pen.fillStyle = ink("soft");
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    const step = levels.length > 1 ? levels[1] - levels[0] : levels[0];
    for (const value of levels) pen.fillText(pane.write(value, y.high - y.low, step), x.to + 8, y.at(value));
    pen.textBaseline = "alphabetic";
    pen.save();
    pen.beginPath();
    pen.rect(x.from, top - 6, x.to - x.from, pane.height + 12);
    pen.clip();
    for (const series of pane.series) drawSeries(pen, series, x, y, ink);
    pen.restore();
    if (!pane.title) return;
    pen.textAlign = "left";
    pen.fillStyle = ink("soft");
    pen.fillText(pane.title, x.from + 2, top - 7);
  }

  drawCross(pen, ink, bottom) {
    const px = Math.round(this.x.at(this.cross)) + 0.5;
    pen.strokeStyle = ink("faint");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(px, 4);
    pen.lineTo(px, bottom);
    pen.stroke();
  }

  times() { return this.panes[0].series.find((s) => s.time)?.time ?? []; }

  setCross(time, { aloud = false } = {}) {
    const times = this.times();
    this.cross = time === null || !times.length ? null : times[nearest(times, time)];
    this.draw();
    const said = this.hooks.hover?.(this.cross);
    if (aloud && said) this.told.textContent = said;
  }

  show(from, to) {
    const [first, last] = this.whole;
    const width = Math.min(Math.max(to - from, (last - first) / 20000, 1), last - first || 1);
    const begin = Math.min(Math.max(from, first), last - width);
    this.range = [begin, begin + width];
    this.draw();
    clearTimeout(this.settled);
    this.settled = setTimeout(() => this.hooks.moved?.(...this.range), SETTLED_MS);
  }

  zoom(factor, about = (this.range[0] + this.range[1]) / 2) {
    const [from, to] = this.range;
    this.show(about - (about - from) * factor, about + (to - about) * factor);
  }

  move(by) { this.show(this.range[0] + by, this.range[1] + by); }

  // The mark under a place, if one is within reach of a finger.
  markAt(px, py) {
    let best = null, reach = 18;
    for (const pane of this.panes) for (const s of pane.series) {
      if (!CLICKABLE.has(s.kind)) continue;
      s.time.forEach((t, k) => {
        const away = Math.hypot(this.x.at(t) - px, pane.y.at(s.value[k]) + (s.kind === "rings" ? 0 : s.up[k] ? 9 : -9) - py);
        if (away < reach) { reach = away; best = s.marked[k]; }
      });
    }
    return best;
  }

  listen() {
    const { canvas, pointers } = this;
    const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    canvas.addEventListener("wheel", (event) => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      // the page scrolls over a chart until the chart is clicked, or Ctrl held
      if (!this.x || !(event.ctrlKey || sideways || document.activeElement === canvas)) return;
      event.preventDefault();
      if (sideways) this.move(event.deltaX / this.x.factor);
      else this.zoom(Math.exp(event.deltaY * 0.0016), this.x.back(place(event)[0]));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, place(event));
      this.travelled = 0;
      if (event.pointerType !== "touch" || pointers.size > 1) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.x) return;
      const [px, py] = place(event);
      const before = pointers.get(event.pointerId);
      if (!before) { this.setCross(this.x.back(px)); canvas.style.cursor = this.markAt(px, py) ? "pointer" : "crosshair"; return; }
      const others = [...pointers].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const [ox] = others[0][1];
        this.zoom(Math.abs(before[0] - ox) / Math.max(8, Math.abs(px - ox)), this.x.back((px + ox) / 2));
      } else { this.move((before[0] - px) / this.x.factor); this.travelled += Math.abs(px - before[0]) + Math.abs(py - before[1]); }
      pointers.set(event.pointerId, [px, py]);
    });
    const lift = (event) => {
      const held = pointers.delete(event.pointerId);
      if (held && event.type === "pointerup" && this.travelled < 6) {
        const [px, py] = place(event);
        this.setCross(this.x.back(px));
        const mark = this.markAt(px, py);
        if (mark) this.hooks.opened?.(mark);
      }
    };
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, lift);
    canvas.addEventListener("pointerleave", () => { if (!pointers.size) this.setCross(null); });
    canvas.addEventListener("dblclick", () => this.show(...this.whole));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const times = this.times();
    if (!times.length || !this.x) return;
    const at = this.cross === null ? nearest(times, this.range[1]) : nearest(times, this.cross);
    const to = (k) => {
      const time = times[Math.min(times.length - 1, Math.max(0, k))];
      if (time < this.range[0]) this.move(time - this.range[0]);
      if (time > this.range[1]) this.move(time - this.range[1]);
      this.setCross(time, { aloud: true });
    };
    const keys = {
      ArrowLeft: () => to(at - (event.shiftKey ? 10 : 1)), ArrowRight: () => to(at + (event.shiftKey ? 10 : 1)),
      "+": () => this.zoom(0.6), "=": () => this.zoom(0.6), "-": () => this.zoom(1.7), Home: () => this.show(...this.whole),
      Escape: () => this.setCross(null), Enter: () => this.openAt(times[at]),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  openAt(time) {
    for (const pane of this.panes) for (const s of pane.series) {
      const k = CLICKABLE.has(s.kind) ? s.time.indexOf(time) : -1;
      if (k >= 0) { this.hooks.opened?.(s.marked[k]); return; }
    }
  }
}
