// The list of all requests: what the diagram draws, in words.
import { $, el } from "./dom.js";
import { forgetEntries, onChange, recall } from "./memory.js";
import { LANES, PREFLIGHTS, sentence } from "./words.js";

/** What became of it, in a word or two. */
export function outcome({ status, ms, code, left, path }) {
  if (left) return "no answer";
  if (ms === null) return "…";
  if (status === 0) return "failed";
  if (status === null) return path.endsWith(".js") ? "loaded" : "…";
  return code ? `${status} ${code}` : String(status);
}

export const isRefused = ({ status }) => status === 0 || status >= 400;

function item(entry, number) {
  const { from, to, method, path, origin, preflight, authorization, cause } = entry;
  const node = el("li", { className: isRefused(entry) ? "refused" : "" },
    el("p", { className: "who" }, el("span", { className: `number ${from}`, textContent: number }),
      el("b", { className: from, textContent: origin ?? LANES[from] }), " → ",
      el("b", { className: to, textContent: LANES[to] }),
      cause ? el("span", { className: "tag", textContent: "your attack" }) : ""),
    el("p", { className: "line" }, el("code", { textContent: `${method} ${path}` }),
      el("span", { className: "status", textContent: outcome(entry) })),
    el("p", { className: "why", textContent: sentence(entry) }));
  if (authorization) node.append(el("p", { className: "sent" }, el("code", { textContent: `Authorization: ${authorization}` })));
  const took = entry.ms ? `${Math.max(1, Math.round(entry.ms))} ms · ` : "";
  node.append(el("p", { className: "preflight", textContent: took + PREFLIGHTS[preflight] }));
  return node;
}

function draw() {
  const list = $("request-list");
  const { entries, dropped } = recall();
  list.replaceChildren(...entries.map((entry, index) => item(entry, dropped + index + 1)));
  list.parentElement.scrollTop = list.parentElement.scrollHeight;
}

export function startRequests() {
  $("clear").addEventListener("click", forgetEntries);
  onChange(draw);
  draw();
}
