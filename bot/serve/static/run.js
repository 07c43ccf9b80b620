// One run: its panels in order, read once and then whenever the run has changed.

import { ask, drawn, follow, run } from "./ask.js";
import { fill } from "./dom.js";
import { account } from "./view/account.js";
import { equityPanel } from "./view/equity.js";
import { head } from "./view/head.js";
import { judged } from "./view/judged.js";
import { logPanel } from "./view/log.js";
import { market } from "./view/market.js";
import { models } from "./view/models.js";
import { trades } from "./view/trades.js";

const SLOW_MS = 4000;

export async function runView(main, id, connected) {
  document.title = `${id} · mtl-paper-bot`;
  const status = await ask(`${run(id)}/status`);
  const context = { id, symbols: Object.keys(status.decided), interval: status.interval };
  const panels = [head, equityPanel, market, account, judged, models, trades, logPanel].map((make) => make(context));
  fill(main, panels.map((panel) => panel.node));
  const state = { status, analysis: null };
  let over = false;

  const update = async (parts) => {
    if (over) return;
    state.status = parts.has("journal") || parts.has("process") ? await ask(`${run(id)}/status`) : state.status;
    await Promise.all(panels.map((panel) => panel.update?.(state, parts)));
  };
  const analyse = async () => {
    if (over) return;
    const found = await ask(`${drawn(id)}/analysis`).catch((error) => ({ under_way: false, fault: error.message, result: null }));
    if (over) return;
    state.analysis = found;
    for (const panel of panels) panel.analysed?.(found);
    if (found.under_way) setTimeout(analyse, 2500);
  };
  await Promise.all(panels.map((panel) => panel.update?.(state, new Set(["journal", "process", "log", "first"]))));
  analyse();
  let slow = null;
  const end = follow(id, async (parts) => {
    await update(parts);
    if (parts.has("journal")) slow ??= setTimeout(() => { slow = null; analyse(); }, SLOW_MS);
  }, connected);
  return () => {
    over = true;
    end();
    for (const panel of panels) panel.end?.();
  };
}

