// The page's frame: which view the address asks for, one at a time.

import { el, fill } from "./dom.js";
import { overview } from "./overview.js";

const main = document.getElementById("main");
const line = document.getElementById("line");
let end = () => {};

export function connected(yes) {
  line.textContent = yes ? "live" : "reconnecting …";
  line.dataset.on = yes ? "yes" : "no";
}

async function show() {
  end();
  end = () => {};
  const [path, search] = location.hash.slice(1).split("?");
  const [, kind, id] = (path || "/").split("/");
  fill(main, el("p", { class: "quiet" }, "Reading …"));
  try {
    if (kind === "run") {
      const { runView } = await import("./run.js");
      end = await runView(main, decodeURIComponent(id), connected);
    } else if (kind === "compare") {
      const { compareView } = await import("./compare.js");
      end = await compareView(main, new URLSearchParams(search).getAll("run"));
    } else end = await overview(main, connected);
  } catch (error) {
    fill(main, el("h1", {}, "That did not work"), el("p", { role: "alert" }, error.message), el("p", {}, el("a", { href: "#/" }, "All runs")));
  }
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
