// What is small and knows nothing of the rest.

const ignore = () => {};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function el(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function icon(path) {
  const [svg, shape] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** An image that leaves no hole where the page's CSP, or the network, keeps it out. */
function picture(src) {
  const image = el("img", { alt: "", referrerPolicy: "no-referrer", onerror: () => image.remove() });
  image.src = src;
  return image;
}

/** Black or white, whichever has more contrast by WCAG 2: never less than 4.5 to 1. */
function readableOn(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const part = parseInt(hex.slice(i, i + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/** Whom a token claims to be of: to compare two of them, the server alone believes it. */
function subject(token) {
  try {
    // As Latin-1: what is not ASCII is garbled, in both of them alike.
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sub;
  } catch {
    return undefined;
  }
}
