// The launcher and the panel.

const NARROW = "(max-width:480px),(max-height:400px)"; // too little for the panel and the page
const MOST_LINES = 50;

/** The launcher and the panel. It is told what to show, and tells what the visitor does. */
function createView(strings, on) {
  const close = () => turn(false);
  const toggle = () => turn(panel.hidden);
  const name = el("h2");
  const who = el("p.who");
  const shut = el("button.close", { ariaLabel: strings.close, onclick: close }, icon("M6 6l12 12M18 6L6 18"));
  const head = el("div.head", {}, "", el("div", {}, name, who), shut);
  const greeting = el("p.agent");
  const log = el("div.log", { role: "log", tabIndex: 0, ariaLabel: strings.title }, greeting);
  const status = el("div", { role: "status" });
  const input = el("textarea", { rows: 1, maxLength: 2000, ariaLabel: strings.message, placeholder: strings.message });
  const send = el("button.send", { ariaLabel: strings.send }, icon("M12 20V4M5 11l7-7 7 7"));
  const form = el("form", { onsubmit: submit }, input, send);
  const notice = el("p");
  const panel = el("section", { role: "dialog", tabIndex: -1, hidden: true }, head, log, status, form, notice);
  const label = el("strong");
  const launcher = el("button.launcher", { ariaExpanded: false, onclick: toggle }, "", label);
  const root = el("div.root", {}, panel, launcher);
  const host = el("kataven-widget", { popover: "manual" });
  const small = matchMedia(NARROW);
  let opener;

  const sheet = new CSSStyleSheet(); // passes a strict CSP, which a <style> doesn't
  sheet.replaceSync(STYLE);
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet];
  shadow.append(root);
  root.onkeydown = root.onkeypress = root.onkeyup = key;

  const view = {
    host, input, small, fit, close, toggle,

    brand({ agent, branding }) {
      branding ||= {};
      launcher.hidden = !agent; // rather late than with a look that isn't the tenant's
      const { style } = root; // takes a color and nothing else, and gives it as rgb(…)
      style.cssText = ["primary", "accent"].map((part) => {
        style.color = "#444";
        style.color = branding[`${part}_color`];
        return `--${part}: ${style.color}; --on-${part}: ${readableOn(style.color)};`;
      }).join("");
      root.dataset.at = branding.launcher_position || "br";
      name.textContent = panel.ariaLabel = agent?.display_name || strings.title;
      label.textContent = branding.launcher_label || strings.title;
      notice.textContent = branding.privacy_notice;
      greeting.textContent = agent?.greeting;
      head.firstChild.replaceWith(picture(agent?.avatar_url || branding.logo_url));
      launcher.firstChild.replaceWith(picture(branding.logo_url));
    },

    /** Shows how things stand, with a word about it where one is needed. */
    show(state, { title, code, bad } = {}) {
      mark("state", state);
      mark("errorCode", code);
      if (state !== "loading") launcher.hidden = false;
      form.hidden = notice.hidden = state === "refused";
      log.hidden = form.hidden && !log.children[1];
      const note = el(bad ? "p.bad" : "p");
      if (title) note.append(el("strong", {}, title), bad ? `\n${code}` : "");
      // What is there already isn't read out again.
      if (!note.isEqualNode(status.firstChild)) status.replaceChildren(note);
      // A draft stays; the log keeps its focus meanwhile.
      const ready = state === "ready" && !!on.send;
      const move = input.disabled === ready && (ready ? log : form).contains(shadow.activeElement);
      input.disabled = send.disabled = !ready;
      if (move) step(ready);
      fit();
    },

    visitor(session) {
      const { type, name: called, email, id } = session?.visitor || {};
      mark("visitor", type);
      mark("sessionId", session?.id);
      who.textContent = type && strings[type].replace("{name}", () => called || email || id);
    },

    line(speaker, text) {
      const said = el(`p.line.${speaker}`, {}, text);
      log.append(said);
      if (log.children[MOST_LINES + 1]) log.children[1].remove();
      log.scrollTop = log.scrollHeight;
      return said;
    },

    /** Draws them, unless lines are there: a screen reader reads out all that is drawn. */
    lines(lines) {
      if (!log.children[1]) for (const said of lines) view.line(...said);
    },

    wipe: () => log.replaceChildren(greeting),

    open: (quietly) => turn(true, quietly),
  };

  view.brand({});
  view.show("loading");
  return view;

  function mark(key, value) {
    if (value) host.dataset[key] = value;
    else delete host.dataset[key];
  }

  function turn(shown, quietly) {
    if (panel.hidden !== shown) return;
    const inside = shadow.activeElement;
    if (shown) opener = document.activeElement;
    panel.hidden = !shown;
    launcher.ariaExpanded = shown;
    log.scrollTop = log.scrollHeight;
    fit();
    if (shown && quietly !== true) step(0); // an event, as of a click, isn't quiet
    if (!shown && inside) {
      launcher.focus();
      opener?.focus(); // takes it, unless it is gone or was nothing that can
    }
    on.toggled(shown ? "open" : "close");
  }

  /** Where the panel covers the page, the focus has to stay in it: also when a phone is turned. */
  function fit() {
    // Above whatever the page puts in front of itself, moves or cuts off.
    if (host.isConnected) host.togglePopover?.(true);
    const covers = small.matches && !panel.hidden && !form.hidden;
    root.classList.toggle("covers", covers);
    panel.ariaModal = covers;
    if (covers && !panel.contains(shadow.activeElement)) step(0);
  }

  /** Moves the focus on, or back, in a ring; what comes from outside gets to the input, or near it. */
  function step(by) {
    const stops = [send, shut, log, input].filter((node) => node.offsetHeight && !node.disabled);
    stops.at((stops.indexOf(shadow.activeElement) + by) % stops.length)?.focus();
  }

  function submit(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || input.disabled) return;
    input.value = "";
    on.send(text);
  }

  function key(event) {
    const { key, shiftKey } = event;
    event.stopPropagation(); // or it sets off the page's own shortcuts
    if (event.isComposing || event.type !== "keydown") return;
    if (key === "Escape") close();
    if (key === "Enter" && event.target === input && !shiftKey) submit(event);
    if (key === "Tab" && panel.ariaModal === "true") {
      event.preventDefault();
      step(shiftKey ? -1 : 1);
    }
  }
}
