// Edits the demo's copy of the tenants' file, and has the page follow.
import { $, el } from "./dom.js";
import { recall } from "./memory.js";
import { inTurn } from "./turns.js";
import { hindrance } from "./words.js";

const page = document.body.dataset;

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

/** The config is kept for a minute; asked past that, it is new, and so is what the browser keeps. */
async function askConfigAnew() {
  const query = new URLSearchParams({ client_key: page.clientKey, ...(page.agent && { agent_id: page.agent }) });
  const url = recall().configUrl ?? `${page.apiUrl}/api/v1/widget/config?${query}`;
  await fetch(url, { cache: "reload", credentials: "omit", headers: { Accept: "application/problem+json" } });
}

async function follow(name, told, shop) {
  if (name === "key" && !told.key_is_on) {
    await shop.widget().renew().catch(() => {}); // refused: the widget says so itself
    return "The next renewal is refused: every session of this key is over. Look at the widget.";
  }
  await askConfigAnew();
  await shop.restart();
  return name === "key" ? "The widget starts again." : "The widget was started anew, and wears it.";
}

function nameSwitch(isOn) {
  $("switch-key").textContent = isOn ? "Switch the key off" : "Switch the key on";
}

async function run(name, shop) {
  const note = $("file-note");
  note.textContent = "Writing the file…";
  try {
    const told = await edit(name);
    showDiff(told.diff);
    nameSwitch(told.key_is_on);
    if (told.seconds === null) throw new Error("The server hasn’t taken it up yet.");
    note.textContent = `In force ${told.seconds} s after it was written, without a restart.`;
    note.textContent += ` ${await follow(name, told, shop)}`;
  } catch (error) {
    note.textContent = error.message;
  }
}

/** @param shop has `widget()`, its handle of now, and `restart()`. */
export function startFile(shop) {
  let running = null;
  for (const button of document.querySelectorAll("[data-edit]")) {
    button.addEventListener("click", () => {
      running ??= inTurn(() => run(button.dataset.edit, shop)).finally(() => { running = null; });
    });
  }
}
