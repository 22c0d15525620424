// The launcher and the panel.

const NARROW = "(max-width: 480px)"; // as in style.css



/** The launcher and the panel. It is told what to show, and tells what the visitor does. */
function createView(strings, on) {
  const host = el("kataven-widget");
  const name = el("h2");
  const who = el("p", { className: "who" });
  const shut = el("button", { className: "close", type: "button", ariaLabel: strings.close, onclick: close },
    icon("M6 6l12 12M18 6L6 18"));
  const head = el("div", { className: "head" }, el("div", {}, name, who), shut);
  const log = el("div", { className: "log", role: "log", tabIndex: 0, ariaLabel: strings.log });
  const status = el("div", { role: "status" });
  const input = el("textarea", { rows: 1, maxLength: 2000, placeholder: strings.message, ariaLabel: strings.message });
  const send = el("button", { className: "send", ariaLabel: strings.send }, icon("M11 13L20 4l-5 16-4-7-7-3z"));
  const form = el("form", { onsubmit: submit }, input, send);
  const notice = el("p", { className: "notice" });
  const panel = el("section", { role: "dialog", hidden: true, onkeydown: key }, head, log, status, form, notice);
  const label = el("span");
  const badge = el("span", { className: "badge", textContent: "!" });
  const launcher = el("button", { className: "launcher", type: "button", hidden: true, ariaExpanded: "false", onclick: toggle },
    icon("M21 11.5a8.4 8.4 0 0 1-12.3 7.5L3 21l2-5.7A8.4 8.4 0 1 1 21 11.5z"), label, badge);
  const root = el("div", { className: "root" }, panel, launcher);
  let opener = null;

  const sheet = new CSSStyleSheet(); // passes a strict CSP, which a <style> doesn't
  sheet.replaceSync(STYLE);
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet];
  shadow.append(root);
  // What is typed here must not set off the page's own shortcuts.
  for (const type of ["keydown", "keypress", "keyup"]) root.addEventListener(type, (event) => event.stopPropagation());
  brand({});
  show("loading");
  launcher.hidden = true;

  function brand({ agent = {}, branding = {} }) {
    for (const part of ["primary", "accent"]) {
      const given = String(branding[`${part}_color`]).replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
      const hex = /^#[0-9a-f]{6}$/i.test(given) ? given : "#3f4654";
      root.style.setProperty(`--${part}`, hex);
      root.style.setProperty(`--on-${part}`, readableOn(hex));
    }
    host.dataset.at = branding.launcher_position || "br";
    name.textContent = panel.ariaLabel = agent.display_name || strings.title;
    label.textContent = branding.launcher_label || strings.launcher;
    notice.textContent = branding.privacy_notice || "";
    root.querySelectorAll("img, .greeting").forEach((old) => old.remove());
    const face = agent.avatar_url || branding.logo_url;
    if (face) head.prepend(picture(face));
    if (branding.logo_url) launcher.prepend(picture(branding.logo_url));
    if (agent.greeting) log.prepend(el("p", { className: "agent greeting", dir: "auto", textContent: agent.greeting }));
  }

  /** Shows how things stand, with a word about it where one is needed. */
  function show(state, { title, detail, code, bad } = {}) {
    enable(state === "ready" && !!on.send);
    host.dataset.state = state;
    if (code) host.dataset.errorCode = code;
    else delete host.dataset.errorCode;
    launcher.hidden = false;
    badge.hidden = !bad || state === "ready";
    panel.className = `panel ${state}`;
    status.className = `status ${bad ? "bad" : ""}`;
    status.replaceChildren();
    if (title) status.append(el("strong", { textContent: title }), detail || "");
    if (bad) status.append(el("code", { textContent: code }));
  }

  /** A draft stays; the log keeps its focus meanwhile. */
  function enable(yes) {
    if (input.disabled !== yes) return;
    const move = (yes ? log : form).contains(shadow.activeElement);
    input.disabled = send.disabled = !yes;
    if (move) (yes ? input : log).focus();
  }

  function visitor(session) {
    const { type, name: called, email, id } = session?.visitor || {};
    for (const [key, value] of [["visitor", type], ["sessionId", session?.id]]) {
      if (value) host.dataset[key] = value;
      else delete host.dataset[key];
    }
    who.textContent = type ? strings[type].replace("{name}", () => called || email || id) : "";
  }

  function line(speaker, text) {
    const said = el("p", { className: `line ${speaker}`, dir: "auto", textContent: text });
    log.append(said);
    log.scrollTop = log.scrollHeight;
    return said;
  }

  function open(quietly) {
    if (!panel.hidden) return;
    opener = document.activeElement;
    panel.hidden = false;
    // On a small screen it covers the page, so the focus has to stay in it.
    panel.ariaModal = String(matchMedia(NARROW).matches);
    launcher.ariaExpanded = "true";
    log.scrollTop = log.scrollHeight;
    if (quietly !== true) [input, log, shut].find((node) => node.offsetHeight && !node.disabled)?.focus();
    on.toggled("open");
  }

  function close() {
    if (panel.hidden) return;
    const inside = shadow.activeElement;
    panel.hidden = true;
    launcher.ariaExpanded = "false";
    if (inside) (opener === host || opener === document.body || !opener?.isConnected ? launcher : opener).focus();
    on.toggled("close");
  }

  function toggle() {
    if (panel.hidden) open();
    else close();
  }

  function submit(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || input.disabled) return;
    input.value = "";
    on.send(text);
  }

  function key(event) {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && event.target === input && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "Tab" && panel.ariaModal === "true") {
      const stops = [shut, log, input, send].filter((node) => node.offsetHeight && !node.disabled);
      const edge = event.shiftKey ? 0 : -1;
      if (event.target !== stops.at(edge)) return;
      event.preventDefault();
      stops.at(-1 - edge).focus();
    }
  }

  return {
    host, input, brand, show, visitor, line, open, close, toggle,
    lines(lines) {
      log.querySelectorAll(".line").forEach((old) => old.remove());
      lines.forEach(([speaker, text]) => line(speaker, text));
    },
  };
}
