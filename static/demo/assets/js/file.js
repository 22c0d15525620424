// Edits the demo's copy of the tenants' file, and has the page follow.
import { $, el } from "./dom.js";
import { inTurn } from "./turns.js";
import { hindrance } from "./words.js";

function showDiff(diff) {
  const kinds = { "+": "added", "-": "removed", "@": "place" };
  $("diff").hidden = false;
  $("diff").replaceChildren(...diff.split("\n").filter(Boolean).map((line) =>
    el("span", { className: kinds[line[0]] ?? "", textContent: `${line}\n` })));
}

async function edit(name) {
  const response = await fetch("/edit", { method: "POST", body: new URLSearchParams({ edit: name }) })
    .catch(() => { throw new Error(hindrance("network_error")); });
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(told.error ?? `The demo refused (${response.status}).`);
  return told;
}

/** A renewal asks for the looks as well, and what was said and what is open stays. */
const LOOKS = { color: "The widget asked how it looks, and wears it.", label: "The widget asked how it looks: its button says so." };
const OFF = "Every renewal and every new session is refused from now on. But a token that is out works at the agent "
  + "until it ends: try “Forge it” above.";

async function follow(name, told, widget, begin) {
  if (!told.key_is_on) {
    await widget.renew().catch(() => {}); // refused: the widget says so itself
    if (name !== "key") return "But the key is off, so the widget isn’t told.";
    showRefused(widget);
    return OFF;
  }
  await (name === "key" ? begin() : widget.renew());
  return LOOKS[name] ?? "The widget begins anew.";
}

/** Opens what has something to say, and keeps the focus where it is. */
function showRefused(widget) {
  const focused = document.activeElement;
  if (matchMedia("(max-width: 72rem)").matches) $("file").scrollIntoView(); // or it lies over what is told here
  widget.open();
  focused?.focus({ preventScroll: true });
}

function nameSwitch(isOn) {
  $("switch-key").textContent = isOn ? "Switch the key off" : "Switch the key on";
}

async function run(name, widget, begin) {
  const note = $("file-note");
  note.className = "";
  note.textContent = "Writing the file…";
  try {
    const told = await edit(name).catch((error) => {
      $("diff").hidden = true; // it's that of the edit before
      throw error;
    });
    showDiff(told.diff);
    nameSwitch(told.key_is_on);
    if (told.seconds === null) throw new Error("The server hasn’t taken it up yet.");
    note.textContent = `In force ${told.seconds} s after it was written, without a restart.`;
    note.textContent += ` ${await follow(name, told, widget, begin)}`;
  } catch (error) {
    note.className = "bad";
    note.textContent = hindrance(error.code) ?? error.message;
  }
}

/** @param begin has the widget try again what it was refused. */
export function startFile(widget, begin) {
  for (const button of document.querySelectorAll("[data-edit]")) {
    button.addEventListener("click", async () => {
      if (button.ariaDisabled) return;
      button.ariaDisabled = "true"; // not `disabled`: the focus stays
      await inTurn(() => run(button.dataset.edit, widget, begin));
      button.ariaDisabled = null;
    });
  }
}
