// The list of all requests: what the diagram draws, in words.
import { $, el } from "./dom.js";
import { forgetEntries, onChange, recall } from "./memory.js";
import { CAUSES, LANES, PREFLIGHTS, sentence } from "./words.js";

let meant = null; // the first and the last that a link leads to

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
  const node = el("li", { id: `request-${number}`, tabIndex: -1, className: isRefused(entry) ? "refused" : "" },
    el("p", { className: "who" }, el("span", { className: `number ${from}`, textContent: number }),
      el("b", { className: from, textContent: origin ?? LANES[from] }), " → ",
      el("b", { className: to, textContent: LANES[to] }),
      cause ? el("span", { className: `tag ${cause}`, textContent: CAUSES[cause] }) : ""),
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
  const box = list.parentElement;
  const { entries, dropped } = recall();
  const atEnd = box.scrollTop + box.clientHeight > box.scrollHeight - 4; // or somebody reads what came before
  const { id } = list.contains(document.activeElement) ? document.activeElement : {};
  list.replaceChildren(...entries.map((entry, index) => item(entry, dropped + index + 1)));
  mark();
  if (atEnd) box.scrollTop = box.scrollHeight;
  if (id) $(id)?.focus({ preventScroll: true });
}

function mark() {
  const { dropped } = recall();
  const all = [...$("request-list").children];
  const found = all.filter((_, index) => meant && index + dropped + 1 >= meant[0] && index + dropped + 1 <= meant[1]);
  all.forEach((node) => node.classList.toggle("meant", found.includes(node)));
  return found;
}

/** Brings the list into sight, and in it those from `first` to `last`, marked; the focus goes along. */
export function showRequests(first, last) {
  meant = [first, last];
  const [node] = mark();
  const box = $("request-list").parentElement;
  box.scrollIntoView();
  if (node) box.scrollTop += node.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientTop;
  (node ?? box).focus({ preventScroll: true });
}

export function startRequests() {
  $("clear").addEventListener("click", () => {
    meant = null;
    forgetEntries();
  });
  onChange(draw);
  draw();
}
