// The launcher and the panel.

const NARROW = "(max-width: 480px), (max-height: 400px)"; // too little for the panel and the page
const DRAWN_LINES = 50; // as many as are kept

/** The launcher and the panel. It is told what to show, and tells what the visitor does. */
function createView(strings, on) {
  const name = el("h2");
  const who = el("p.who");
  const shut = el("button.close", { ariaLabel: strings.close, onclick: close }, icon("M6 6l12 12M18 6L6 18"));
  const head = el("header", {}, picture(), el("div", {}, name, who), shut);
  const greeting = el("p.agent");
  const log = el("div.log", { role: "log", tabIndex: 0, ariaLabel: strings.log }, greeting);
  const status = el("div", { role: "status" });
  const input = el("textarea", { rows: 1, maxLength: 2000, ariaLabel: strings.message, placeholder: strings.message });
  const send = el("button.send", { ariaLabel: strings.send }, icon("M12 20V4M5 11l7-7 7 7"));
  const form = el("form", { onsubmit: submit }, input, send);
  const notice = el("p.notice");
  const panel = el("section", { role: "dialog", tabIndex: -1, hidden: true, onkeydown: key }, head, log, status, form, notice);
  const label = el("span");
  const launcher = el("button.launcher", { ariaExpanded: false, onclick: toggle }, picture(), label);
  const root = el("div", {}, panel, launcher);
  const host = el("kataven-widget", { popover: "manual" });
  const small = matchMedia(NARROW);
  let opener;

  const sheet = new CSSStyleSheet(); // passes a strict CSP, which a <style> doesn't
  sheet.replaceSync(STYLE);
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet];
  shadow.append(root);
  // What is typed here must not set off the page's own shortcuts.
  for (const type of ["keydown", "keypress", "keyup"]) root.addEventListener(type, (event) => event.stopPropagation());
  small.onchange = fit;
  brand({});
  show("loading");

  function brand({ agent = {}, branding = {} }) {
    for (const part of ["primary", "accent"]) {
      const hex = (branding[`${part}_color`] || "#3f4654").replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
      root.style.setProperty(`--${part}`, hex);
      root.style.setProperty(`--on-${part}`, readableOn(hex));
    }
    root.dataset.at = branding.launcher_position || "br";
    name.textContent = panel.ariaLabel = agent.display_name || strings.title;
    label.textContent = branding.launcher_label || strings.launcher;
    notice.textContent = branding.privacy_notice;
    greeting.textContent = agent.greeting;
    head.firstChild.replaceWith(picture(agent.avatar_url || branding.logo_url));
    launcher.firstChild.replaceWith(picture(branding.logo_url));
  }

  /** Shows how things stand, with a word about it where one is needed. */
  function show(state, { title, detail, code, bad } = {}) {
    mark("state", state);
    mark("errorCode", code);
    launcher.hidden = state === "loading";
    form.hidden = notice.hidden = state === "refused";
    log.hidden = form.hidden && !log.children[1];
    const note = el(bad ? "p.bad" : "p");
    if (title) note.append(el("strong", {}, title), detail || "");
    if (bad) note.append(el("code", {}, code));
    // What is there already isn't read out again.
    if (!note.isEqualNode(status.firstChild)) status.replaceChildren(note);
    // A draft stays; the log keeps its focus meanwhile.
    const ready = state === "ready" && !!on.send;
    const move = input.disabled === ready && (ready ? log : form).contains(shadow.activeElement);
    input.disabled = send.disabled = !ready;
    if (move) enter();
    fit();
  }

  function mark(key, value) {
    if (value) host.dataset[key] = value;
    else delete host.dataset[key];
  }

  function usable(node) {
    return node.offsetHeight && !node.disabled;
  }

  function enter() {
    [input, log, shut].find(usable)?.focus();
  }

  /** Where the panel covers the page, the focus has to stay in it: also when a phone is turned. */
  function fit() {
    // Above whatever the page puts in front of itself, moves or cuts off.
    if (host.isConnected) host.togglePopover?.(true);
    const covers = small.matches && !panel.hidden && !form.hidden;
    root.className = covers ? "root covers" : "root";
    panel.ariaModal = covers;
    if (covers && !panel.contains(shadow.activeElement)) enter();
  }

  function visitor(session) {
    const { type, name: called, email, id } = session?.visitor || {};
    mark("visitor", type);
    mark("sessionId", session?.id);
    who.textContent = type && strings[type].replace("{name}", () => called || email || id);
  }

  function line(speaker, text) {
    const said = el(`p.line.${speaker}`, {}, text);
    log.append(said);
    if (log.children[DRAWN_LINES + 1]) log.children[1].remove();
    log.scrollTop = log.scrollHeight;
    return said;
  }

  /** What is drawn already stays: a screen reader reads out all that is drawn anew. */
  function lines(lines) {
    const rest = [...lines];
    for (const node of [...log.children].slice(1)) {
      const [speaker, text] = rest[0] || [];
      if (node.matches(`.${speaker}`) && node.textContent === text) rest.shift();
      else node.remove();
    }
    for (const said of rest) line(...said);
  }

  function turn(shown, quietly) {
    if (panel.hidden !== shown) return;
    const inside = shadow.activeElement;
    if (shown) opener = document.activeElement;
    panel.hidden = !shown;
    launcher.ariaExpanded = shown;
    log.scrollTop = log.scrollHeight;
    fit();
    if (shown && !quietly) enter();
    if (!shown && inside) {
      launcher.focus();
      opener?.focus(); // takes it, unless it is gone or was nothing that can
    }
    on.toggled(shown ? "open" : "close");
  }

  function open(quietly) {
    turn(true, quietly);
  }

  function close() {
    turn(false);
  }

  function toggle() {
    turn(panel.hidden);
  }

  function submit(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || input.disabled) return;
    input.value = "";
    on.send(text);
  }

  function key(event) {
    const { key, target, shiftKey } = event;
    if (event.isComposing) return;
    if (key === "Escape") close();
    if (key === "Enter" && target === input && !shiftKey) submit(event);
    if (key === "Tab" && panel.ariaModal === "true") {
      const stops = [shut, log, input, send].filter(usable);
      event.preventDefault();
      stops.at((stops.indexOf(target) + (shiftKey ? -1 : 1)) % stops.length).focus();
    }
  }

  return { host, input, brand, show, visitor, line, lines, open, close, toggle };
}
