// What outlives a page.
/** One tab's memory: sessionStorage, and this page's own where the browser blocks that. */
function openStore(name) {
  let kept = {};
  const attempt = (use) => {
    try {
      use();
    } catch { /* blocked, full, or not ours */ }
  };
  const load = () => attempt(() => { kept = JSON.parse(sessionStorage.getItem(name)) || {}; });
  load();
  return {
    load,
    get: (key) => kept[key],
    set(change) {
      Object.assign(kept, change);
      attempt(() => sessionStorage.setItem(name, JSON.stringify(kept)));
    },
    clear() {
      kept = {};
      attempt(() => sessionStorage.removeItem(name));
    },
  };
}
