// The widget's script has started it already; the same key finds the same widget.
"use strict";

const $ = (id) => document.getElementById(id);

function show(state, words, status, code) {
  $("verdict").dataset.state = state;
  $("verdict-words").textContent = words;
  $("verdict-status").textContent = status;
  $("verdict-code").textContent = code;
}

function watch() {
  const widget = window.Kataven.init({ publicKey: document.body.dataset.clientKey });
  widget.on("error", ({ status, code, detail, message }) => {
    show("refused", detail || message, status > 0 ? String(status) : "none", code);
  });
  widget.on("ready", () => show("admitted", "Come in: this origin is on the key's list.", "200", "none"));
  document.querySelector("[data-open-widget]").addEventListener("click", () => widget.open());
}

if (window.Kataven) watch();
else show("refused", "Nothing: the widget's script couldn't be loaded.", "none", "script_error");
