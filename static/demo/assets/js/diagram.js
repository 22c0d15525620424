// A sequence diagram of what happened. The list beneath it says the same in words.
import { $, svg } from "./dom.js";
import { onChange, recall } from "./memory.js";
import { isRefused, outcome } from "./requests.js";

const HEADS = { elsewhere: ["another", "site"], page: ["this", "page"], backend: ["shop’s", "backend"],
  api: ["sign-in", "API"], agent: ["the", "agent"] };
const DRAWN = 14; // requests; the list has the others
const HEAD = 44; // px
const ROW = 24;
const LETTER = 6.7; // the width of one

/** A request and its answer are two events: what overlapped is drawn as it did. */
function events(entries) {
  const all = entries.flatMap((entry) => {
    const ask = { entry, at: entry.at };
    if (entry.ms === null || entry.left) return [ask];
    return [ask, { entry, at: entry.at + entry.ms, isAnswer: true }];
  });
  return all.sort((one, other) => one.at - other.at);
}

function lanesOf(entries, width) {
  const names = Object.keys(HEADS).filter((name) => name !== "elsewhere" || entries.some(({ from }) => from === name));
  const gap = width / names.length;
  return Object.fromEntries(names.map((name, index) => [name, Math.round((index + 0.5) * gap)]));
}

function head([name, x], room) {
  const width = Math.min(76, room - 5);
  return [
    svg("rect", { class: `head ${name}`, x: x - width / 2, y: 2, width, height: 38, rx: 8 }),
    ...HEADS[name].map((word, line) => svg("text", { class: "head-text", x, y: 18 + 14 * line }, word)),
  ];
}

const short = (path) => path.replace("/api/v1/widget", "").replace("/auth/", "/");

/** Over the middle of its arrow; what is too long for that begins beside the number. */
function label(words, x1, x2, y) {
  const fits = x2 < x1 || words.length * LETTER < x2 - x1 - 24;
  return fits ? svg("text", { x: (x1 + x2) / 2, y }, words) : svg("text", { class: "long", x: x1 + 11, y }, words);
}

function arrow({ entry, isAnswer }, number, lanes) {
  const y = 16;
  const [from, to] = isAnswer ? [entry.to, entry.from] : [entry.from, entry.to];
  const [x1, x2] = [lanes[from], lanes[to]];
  const dir = Math.sign(x2 - x1);
  const kind = [isAnswer ? "answer" : "ask", entry.from, isRefused(entry) ? "refused" : ""].join(" ");
  const words = isAnswer ? outcome(entry) : `${entry.method} ${short(entry.path)}`;
  const tip = x2 - dir * 2;
  const parts = [
    svg("line", { x1, x2: tip, y1: y, y2: y }),
    svg("path", { class: "tip", d: `M${tip} ${y}l${-dir * 7} -4v8z` }),
    label(words, x1, x2, y - 5),
  ];
  if (!isAnswer) {
    parts.push(svg("circle", { cx: x1, cy: y, r: 8 }), svg("text", { class: "number", x: x1, y: y + 3.5 }, number));
  }
  return svg("g", { class: kind }, ...parts);
}

const picture = (width, height, nodes) =>
  svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...nodes);

/** Each row is a picture of its own, so that paper can end between two. */
function row(event, number, lanes, width) {
  const lives = Object.values(lanes).map((x) => svg("line", { class: "life", x1: x, x2: x, y1: 0, y2: ROW }));
  return picture(width, ROW, [...lives, arrow(event, number, lanes)]);
}

function draw() {
  const width = $("diagram").clientWidth || 300;
  const { entries, dropped } = recall();
  const skipped = Math.max(0, entries.length - DRAWN);
  const shown = entries.slice(skipped);
  const number = new Map(shown.map((entry, index) => [entry, String(dropped + skipped + index + 1)]));
  const lanes = lanesOf(shown, width);
  // The heads stay in sight while the rest scrolls.
  const heads = Object.entries(lanes);
  $("lanes").replaceChildren(picture(width, HEAD, heads.flatMap((one) => head(one, width / heads.length))));
  $("diagram").replaceChildren(...events(shown).map((event) => row(event, number.get(event.entry), lanes, width)));
  const frame = $("diagram-frame");
  frame.scrollTop = frame.scrollHeight;
}

export function startDiagram() {
  onChange(draw);
  new ResizeObserver(draw).observe($("diagram-frame"));
}
