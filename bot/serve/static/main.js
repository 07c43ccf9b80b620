// The page's frame: which view the address asks for, one at a time.

import { el, fill } from "./dom.js";
import { overview } from "./overview.js";

const main = document.getElementById("main");
const line = document.getElementById("line");
let end = () => {};
let turn = 0;

export function connected(yes, why) {
  line.textContent = yes ? "live" : why ? `not up to date: ${why}` : "reconnecting …";
  line.dataset.on = yes ? "yes" : "no";
}

async function show() {
  const mine = ++turn;
  end();
  end = () => {};
  const [path, search] = location.hash.slice(1).split("?");
  const [, kind, id] = (path || "/").split("/");
  // a place of its own: a view that is left before it is read must not fill the next one's
  const place = el("div", {}, el("p", { class: "quiet" }, "Reading …"));
  fill(main, place);
  let leave = () => {};
  try {
    if (kind === "run") {
      const { runView } = await import("./run.js");
      leave = await runView(place, decodeURIComponent(id), connected);
    } else if (kind === "compare") {
      const { compareView } = await import("./compare.js");
      leave = await compareView(place, new URLSearchParams(search).getAll("run"));
    } else leave = await overview(place, connected);
  } catch (error) {
    fill(place, el("h1", {}, "That did not work"), el("p", { role: "alert" }, error.message), el("p", {}, el("a", { href: "#/" }, "All runs")));
  }
  if (mine === turn) end = leave;
  else leave();
}

window.addEventListener("hashchange", (event) => {
  if (new URL(event.newURL).hash === "#main") return;
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
  show();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
show();
document.getElementById("leave").addEventListener("click", async () => {
  await fetch("/session", { method: "DELETE" });
  location.assign("/open");
});
