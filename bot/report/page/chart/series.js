// How each kind of series is drawn, and which values it spans. A series is plain data:
// {kind, name, tone, time: [], …}; null values are gaps.

import { indexAt } from "./scale.js";

const each = (series, x, act) => {
  const first = Math.max(0, indexAt(series.time, x.low) - 1);
  const last = Math.min(series.time.length - 1, indexAt(series.time, x.high) + 1);
  for (let k = first; k <= last; k += 1) act(k);
};

const KINDS = {
  line: {
    span: (s, k) => [s.value[k], s.value[k]],
    draw(pen, s, x, y, ink) {
      pen.strokeStyle = ink(s.tone);
      pen.lineWidth = s.width ?? 1.5;
      pen.lineJoin = "round";
      pen.beginPath();
      let open = false, lastY = 0;
      each(s, x, (k) => {
        if (s.value[k] === null) { open = false; return; }
        const [px, py] = [x.at(s.time[k]), y.at(s.value[k])];
        if (!open) pen.moveTo(px, py);
        else {
          if (s.stepped) pen.lineTo(px, lastY);
          pen.lineTo(px, py);
        }
        open = true;
        lastY = py;
      });
      pen.setLineDash(s.dash ?? []);
      pen.stroke();
      pen.setLineDash([]);
    },
  },
  area: {
    span: (s, k) => [Math.min(0, s.value[k] ?? 0), Math.max(0, s.value[k] ?? 0)],
    draw(pen, s, x, y, ink) {
      const points = [];
      each(s, x, (k) => { if (s.value[k] !== null) points.push([x.at(s.time[k]), y.at(s.value[k])]); });
      if (!points.length) return;
      pen.beginPath();
      pen.moveTo(points[0][0], y.at(0));
      for (const [px, py] of points) pen.lineTo(px, py);
      pen.lineTo(points[points.length - 1][0], y.at(0));
      pen.fillStyle = ink(s.fill);
      pen.fill();
      KINDS.line.draw(pen, { ...s, width: 1.2 }, x, y, ink);
    },
  },
  band: {
    span: (s, k) => [s.low[k], s.high[k]],
    draw(pen, s, x, y, ink) {
      pen.fillStyle = ink(s.tone);
      let run = [];
      const flush = () => {
        if (run.length > 1) {
          pen.beginPath();
          run.forEach((k, i) => pen[i ? "lineTo" : "moveTo"](x.at(s.time[k]), y.at(s.low[k])));
          run.reverse().forEach((k) => pen.lineTo(x.at(s.time[k]), y.at(s.high[k])));
          pen.fill();
        }
        run = [];
      };
      each(s, x, (k) => (s.low[k] === null ? flush() : run.push(k)));
      flush();
    },
  },
  columns: {
    span: (s, k) => [Math.min(0, s.value[k] ?? 0), Math.max(0, s.value[k] ?? 0)],
    draw(pen, s, x, y, ink) {
      const width = Math.max(1, x.factor * s.step * 0.7);
      each(s, x, (k) => {
        if (!s.value[k]) return;
        pen.fillStyle = ink(s.value[k] < 0 ? s.below ?? s.tone : s.tone);
        const [a, b] = [y.at(0), y.at(s.value[k])];
        pen.fillRect(x.at(s.time[k]) - width / 2, Math.min(a, b), width, Math.max(1, Math.abs(a - b)));
      });
    },
  },
  candles: {
    span: (s, k) => [s.low[k], s.high[k]],
    draw(pen, s, x, y, ink) {
      const width = Math.max(1, Math.min(14, x.factor * s.step * 0.66));
      each(s, x, (k) => {
        if (s.close[k] === null) return;
        const px = x.at(s.time[k]);
        pen.strokeStyle = pen.fillStyle = ink(s.close[k] >= s.open[k] ? "gain" : "loss");
        pen.lineWidth = 1;
        pen.beginPath();
        pen.moveTo(px, y.at(s.high[k]));
        pen.lineTo(px, y.at(s.low[k]));
        pen.stroke();
        const [a, b] = [y.at(s.open[k]), y.at(s.close[k])];
        if (width > 1.5) pen.fillRect(px - width / 2, Math.min(a, b), width, Math.max(1, Math.abs(a - b)));
      });
    },
  },
  marks: {
    span: () => null,
    draw(pen, s, x, y, ink) {
      each(s, x, (k) => {
        const [px, py, up] = [x.at(s.time[k]), y.at(s.value[k]), s.up[k]];
        const d = up ? 1 : -1;
        pen.beginPath();
        pen.moveTo(px, py + d * 4);
        pen.lineTo(px - 5, py + d * 13);
        pen.lineTo(px + 5, py + d * 13);
        pen.closePath();
        pen.fillStyle = ink(s.tones?.[k] ?? (up ? "blue" : "amber"));
        pen.fill();
        pen.strokeStyle = ink("paper");
        pen.lineWidth = 1;
        pen.stroke();
      });
    },
  },
  rings: {
    span: () => null,
    draw(pen, s, x, y, ink) {
      each(s, x, (k) => {
        pen.beginPath();
        pen.arc(x.at(s.time[k]), y.at(s.value[k]), 4, 0, 2 * Math.PI);
        pen.strokeStyle = ink(s.up[k] ? "blue" : "amber");
        pen.lineWidth = 1.6;
        pen.stroke();
      });
    },
  },
  strip: {
    span: () => [0, 1],
    draw(pen, s, x, y, ink) {
      each(s, x, (k) => {
        if (!s.value[k]) return;
        pen.globalAlpha = Math.min(1, Math.abs(s.value[k]) / s.largest);
        pen.fillStyle = ink(s.value[k] < 0 ? s.below : s.tone);
        const px = x.at(s.time[k]);
        pen.fillRect(px, y.to, Math.max(1, x.at(s.time[k] + s.step) - px + 0.5), y.from - y.to);
      });
      pen.globalAlpha = 1;
    },
  },
  moments: {
    span: () => null,
    draw(pen, s, x, y, ink) {
      pen.strokeStyle = ink(s.tone);
      pen.lineWidth = 1;
      pen.setLineDash([1, 3]);
      pen.beginPath();
      each(s, x, (k) => { const px = Math.round(x.at(s.time[k])) + 0.5; pen.moveTo(px, y.from); pen.lineTo(px, y.to); });
      pen.stroke();
      pen.setLineDash([]);
    },
  },
  level: {
    span: (s) => [s.value, s.value],
    draw(pen, s, x, y, ink) {
      pen.strokeStyle = ink(s.tone);
      pen.setLineDash([5, 4]);
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x.from, y.at(s.value));
      pen.lineTo(x.to, y.at(s.value));
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = ink(s.tone);
      pen.textAlign = "left";
      pen.fillText(s.name, x.from + 6 + (s.indent ?? 0), y.at(s.value) - 5);
    },
  },
};

export function drawSeries(pen, series, x, y, ink) {
  KINDS[series.kind].draw(pen, series, x, y, ink);
}

// The lowest and highest value of all series within the times that are shown.
export function spanOf(all, x) {
  let low = Infinity, high = -Infinity;
  const take = (pair) => {
    if (!pair || pair[0] === null || pair[0] === undefined) return;
    low = Math.min(low, pair[0]);
    high = Math.max(high, pair[1]);
  };
  for (const s of all) {
    if (s.kind === "level") { if (s.stretches) take([s.value, s.value]); } else each(s, x, (k) => take(KINDS[s.kind].span(s, k)));
  }
  return low <= high ? [low, high] : null;
}
