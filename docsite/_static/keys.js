// What the theme leaves to a mouse, by keyboard too.

// Code and tables that are wider than the window scroll by themselves; the arrow keys shall move them.
const scrollers = document.querySelectorAll(".highlight pre, .table-wrapper");
const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isWide = target.scrollWidth > target.clientWidth;
    target.toggleAttribute("data-wide", isWide);
    if (isWide) {
      target.tabIndex = 0;
      target.setAttribute("role", "group");
      target.setAttribute("aria-label", target.matches("pre") ? "Code, wider than the window" : "Table, wider than the window");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
    }
  }
});
for (const scroller of scrollers) watcher.observe(scroller);

// Who goes by keyboard passes over what is on every page first.
const skip = document.querySelector(".skip-to-content");
document.body.prepend(skip);

// The two drawers of a narrow window are opened by labels, which no keyboard reaches: buttons take their places.
// Space or Enter opens one and goes in, Escape comes back.
const drawers = { __navigation: ".sidebar-drawer", __toc: ".toc-drawer" };
for (const [id, drawer] of Object.entries(drawers)) {
  const box = document.getElementById(id);
  const buttons = [...document.querySelectorAll(`.page label[for=${id}]`)].map((label) => {
    const button = document.createElement("button");
    button.className = label.className;
    button.ariaLabel = box.ariaLabel;
    button.append(...label.childNodes);
    button.addEventListener("click", ({ detail: byMouse }) => {
      box.click();
      if (!byMouse) document.querySelector(`${drawer} a`)?.focus();
    });
    label.replaceWith(button);
    return button;
  });
  const tell = () => {
    for (const button of buttons) button.ariaExpanded = String(box.checked);
  };
  box.addEventListener("change", tell);
  tell();
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !box.checked) return;
    box.click();
    buttons.find((button) => button.checkVisibility())?.focus();
  });
}
