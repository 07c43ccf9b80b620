// A person's hand on a run: said what will happen, confirmed, then asked as the commands ask.

import { el, fill } from "../dom.js";
import { run, send } from "../ask.js";

const NAMES = { pause: "Pause", resume: "Resume", flatten: "Flatten", set: "Set …" };

export function handButtons(id, status) {
  const kinds = status.paused === "no" ? ["pause", "flatten", "set"] : status.paused === "paused" ? ["resume", "flatten", "set"] : ["resume", "set"];
  return kinds.map((kind) => el("button", { type: "button", on: { click: () => (kind === "set" ? askChanges(id) : confirm(id, { kind, changes: [] })) } }, NAMES[kind]));
}

const dialog = document.getElementById("dialog");

export function openDialog(title, ...content) {
  fill(dialog, el("h2", { id: "dialog-title" }, title), ...content);
  if (!dialog.open) dialog.showModal();
}

const close = () => dialog.close();
const closing = (name = "Cancel") => el("button", { type: "button", on: { click: close } }, name);

function askChanges(id) {
  const input = el("textarea", { rows: "3", "aria-label": "Settings, one a line", placeholder: "risk.max_gross=1" });
  input.style.width = "100%";
  openDialog(`Set, in ${id}`, el("p", { class: "quiet" }, "One setting a line, as for bot set: risk, numbers of policy and sizing, when to retrain."), input,
    el("div", { class: "actions" }, closing(), el("button", { class: "primary", type: "button", on: {
      click: () => confirm(id, { kind: "set", changes: input.value.split("\n").map((line) => line.trim()).filter(Boolean) }),
    } }, "Go on")));
}

async function confirm(id, wanted) {
  try {
    const { confirm: code, says } = await send(`${run(id)}/confirmations`, wanted);
    const sure = el("button", { class: "primary", type: "button", on: { click: () => go(id, { ...wanted, confirm: code }, sure) } }, wanted.kind === "set" ? "Set" : NAMES[wanted.kind]);
    openDialog(`${NAMES[wanted.kind].replace(" …", "")}?`, el("p", {}, says), el("div", { class: "actions" }, closing(), sure));
  } catch (error) {
    openDialog("Not asked", el("p", { role: "alert" }, error.message), el("div", { class: "actions" }, closing("Close")));
  }
}

async function go(id, wanted, button) {
  button.disabled = true;
  try {
    const { outcome, says, warnings } = await send(`${run(id)}/commands`, wanted);
    openDialog({ taken: "Taken", refused: "Refused", waiting: "Asked" }[outcome], el("p", { role: "status" }, says), warnings.map((line) => el("p", { class: "notice" }, line)),
      el("div", { class: "actions" }, closing("Close")));
  } catch (error) {
    openDialog("Not done", el("p", { role: "alert" }, error.message), el("div", { class: "actions" }, closing("Close")));
  }
}
