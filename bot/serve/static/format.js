// How figures are written; the same as in the report and on the terminal.

const MINUS = "\u2212";
const THIN = "\u202f";

const signed = (written, value, always) => (value < 0 ? MINUS : always && value > 0 ? "+" : "") + written;

export function amount(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const written = Math.abs(value).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return signed(written, value, false);
}

export const gain = (value, digits = 2) => (value === null || value === undefined ? "–" : signed(amount(Math.abs(value), digits), value, true));

export function percent(value, { sign = false, digits = 2 } = {}) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(100 * value);
  const written = size < 1e6 ? size.toFixed(digits) : size.toPrecision(3);
  const zero = Number(written) === 0;
  return `${zero ? written : signed(written, value, sign)}${THIN}%`;
}

// How many digits the marks of an axis need that are so far apart.
export const digitsOf = (step) => [0, 1, 2, 3, 4, 5, 6].find((digits) => Math.abs(step - Number(step.toFixed(digits))) < 1e-6 * step) ?? 7;

export const basis = (value, digits = 1) => (value === null || value === undefined ? "–" : `${signed(Math.abs(1e4 * value).toFixed(digits), value, false)}${THIN}bp`);

export function price(value) {
  if (value === null || value === undefined) return "–";
  const digits = Number(value).toPrecision(8);
  return Number(digits).toLocaleString("en", { maximumFractionDigits: 10 });
}

export function quantity(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const written = size >= 1e6 ? size.toLocaleString("en", { maximumFractionDigits: 0 }) : Number(size.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 10 });
  return signed(written, value, false);
}

export const ratio = (value, digits = 2) => (value === null || value === undefined ? "–" : signed(Math.abs(value).toFixed(digits), value, false));
export const count = (value) => (value === null || value === undefined ? "–" : Number(value).toLocaleString("en"));
export const counted = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const two = (n) => String(n).padStart(2, "0");

export function time(ms, { seconds = false } = {}) {
  if (ms === null || ms === undefined) return "–";
  const at = new Date(ms);
  const day = `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  const clock = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  return `${day} ${clock}${seconds ? `:${two(at.getUTCSeconds())}` : ""}`;
}

export function ago(ms) {
  if (ms === null || ms === undefined) return "–";
  const units = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"]];
  const [size, name] = units.find(([length]) => Math.abs(ms) >= length) ?? units[3];
  return `${Math.round(ms / size)}${THIN}${name}`;
}

export const tone = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "");
export const words = (name) => name.replaceAll("_", " ");

export function shown(key, value) {
  if (typeof value === "number" && value >= 1e12 && value < 1e13) return time(value);
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : Number(value.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 8 });
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// A head's name and how many bars it looks ahead: return_5 is "return, 5 bars".
export function headName(task) {
  const cut = task.lastIndexOf("_");
  return /^\d+$/.test(task.slice(cut + 1)) ? `${words(task.slice(0, cut))}, ${counted(Number(task.slice(cut + 1)), "bar")}` : words(task);
}
