// The head of a run: how it fares, in the largest figures, and what a person can ask of it.

import { el, figure, fill } from "../dom.js";
import { ago, amount, count, counted, gain, percent, time, tone } from "../format.js";
import { badge } from "../overview.js";
import { handButtons } from "./hand.js";

export function head({ id }) {
  const badgePlace = el("span");
  const about = el("p", { class: "quiet" });
  const hand = el("div", { class: "hand" });
  const notice = el("div");
  const figures = el("dl", { class: "figures" });
  const node = el("div", {}, el("p", { class: "quiet" }, el("a", { href: "#/" }, "All runs")),
    el("div", { class: "heading" }, el("h1", {}, id), badgePlace, hand), about, notice, figures);
  let asked = "";

  const update = ({ status }) => {
    fill(badgePlace, badge(status));
    about.textContent = [status.mode, `${status.interval} bars`, `${count(status.bars)} closed`, status.last_bar === null ? null : `newest ${time(status.last_bar)} UTC`,
      status.model ? `model ${status.model.model_id.slice(0, 8)}, ${ago(status.model.age_ms)} old` : "no model yet"].filter(Boolean).join(" · ");
    const day = status.day_return;
    const capital = status.equity / (1 + status.total_return);
    const lead = figure("Equity", amount(status.equity), `${gain(status.equity - capital)} since the start`);
    lead.classList.add("lead");
    fill(figures, lead,
      figure("Day", percent(day, { sign: true }), "", tone(day)),
      figure("Total", percent(status.total_return, { sign: true }), "", tone(status.total_return)),
      figure("Drawdown", percent(status.drawdown)),
      figure("Open positions", count(status.positions.length), status.pending.length ? `${count(status.pending.length)} ordered` : ""),
      figure("Fills", count(status.fills)),
      figure("Fees", amount(status.fees)));
    const key = JSON.stringify([status.mode, status.pid !== null, status.paused]);
    if (key !== asked) { asked = key; fill(hand, status.mode === "live" ? handButtons(id, status) : []); }
    const said = noticeOf(status);
    fill(notice, said ? el("p", { class: "notice" }, said) : null);
  };
  return { node, update };
}

function noticeOf(status) {
  if (status.calibration && status.calibration.days < status.calibration.days_needed) {
    return `Signals are being scored: ${count(status.calibration.days)} of ${count(status.calibration.days_needed)} days. Nothing is traded until then.`;
  }
  if (status.asked) return `${counted(status.asked, "command waits", "commands wait")} for the daemon.`;
  return "";
}

