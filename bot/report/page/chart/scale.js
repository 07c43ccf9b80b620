// Scales and their ticks: linear for figures, by calendar for times (UTC).

const STEPS = [1, 2, 2.5, 5, 10];

export function ticks(low, high, most) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = STEPS.find((s) => s * power >= raw) * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

const MINUTE = 60000, HOUR = 3600000, DAY = 86400000;
const TIMES = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n) => String(n).padStart(2, "0");

// Times for an axis with their words: the day where a day begins, the year where a year does.
export function timeTicks(low, high, most) {
  const raw = (high - low) / Math.max(1, most);
  const step = TIMES.find((s) => s >= raw);
  const found = [];
  if (step) {
    for (let t = Math.ceil(low / step) * step; t <= high; t += step) found.push({ at: t, says: word(t, step) });
    return found;
  }
  const months = Math.max(1, Math.ceil(raw / (30 * DAY)));
  const every = [1, 2, 3, 6, 12].find((n) => n >= months) ?? 12 * Math.ceil(months / 12);
  const start = new Date(low);
  for (let m = Math.floor(start.getUTCMonth() / every) * every; ; m += every) {
    const t = Date.UTC(start.getUTCFullYear(), m, 1);
    if (t > high) return found;
    const at = new Date(t);
    if (t >= low) found.push({ at: t, says: at.getUTCMonth() ? MONTHS[at.getUTCMonth()] : String(at.getUTCFullYear()) });
  }
}

function word(t, step) {
  const at = new Date(t);
  if (step < DAY && t % DAY) return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
}

export class Scale {
  constructor(low, high, from, to) {
    Object.assign(this, { low, high, from, to });
    this.factor = (to - from) / (high - low || 1);
  }
  at(value) { return this.from + (value - this.low) * this.factor; }
  back(place) { return this.low + (place - this.from) / this.factor; }
}

// The place of the last value that is not greater; -1 before the first.
export function indexAt(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1; else high = middle;
  }
  return low - 1;
}

export function nearest(sorted, value) {
  const k = indexAt(sorted, value);
  if (k < 0) return 0;
  return k + 1 < sorted.length && sorted[k + 1] - value < value - sorted[k] ? k + 1 : k;
}
