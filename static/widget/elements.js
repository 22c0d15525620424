// What is small and knows nothing of the rest.

const CHAT = "M3 4h18v13H9l-5 4v-4H3z";

const ignore = () => {};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `el("p.who", { id: "x" }, "text")`: what stands in it is text, whoever wrote it. */
function el(kind, properties, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = Object.assign(document.createElement(tag), properties);
  node.classList.add(...classes);
  node.append(...children);
  return node;
}

function icon(path) {
  const [svg, shape] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.ariaHidden = "true";
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** An icon, and the image in its place once that is here: the page's CSP, or the network, may keep it out. */
function picture(src) {
  const stand = icon(CHAT);
  el("img", { alt: "", referrerPolicy: "no-referrer", onload() { stand.replaceWith(this); }, src: src || "" });
  return stand;
}

/**
 * Black or white on a color, `rgb(…)`, whichever has more contrast by WCAG 2: never less than 4.5 to 1.
 * The power is not quite sRGB's curve, but near enough for that: all 16,777,216 colors were tried.
 */
function readableOn(color) {
  const [r, g, b] = color.match(/\d+/g).map((part) => (part / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

/** Whom a token claims to be of: to compare two of them, the server alone believes it. */
function subject(token) {
  try {
    // As Latin-1: what is not ASCII is garbled, in both of them alike.
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sub;
  } catch { /* no token at all: of nobody */ }
}
