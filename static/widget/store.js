// What outlives a page.

/** The tab's memory, or with `persist` the browser's. Where that is blocked, the page's own variables do. */
function openStore(name, persist) {
  const attempt = (use) => {
    try {
      return use(persist ? localStorage : sessionStorage);
    } catch { /* blocked, full, or not ours */ }
  };
  const clear = () => attempt((area) => delete area[name]);
  const read = () => attempt((area) => JSON.parse(area[name])) || {};
  return {
    read,
    clear,
    /** Into what other tabs may have written meanwhile. */
    write(change) {
      const next = JSON.stringify({ ...read(), ...change });
      clear(); // where there is no room for the new, the old is wrong
      attempt((area) => { area[name] = next; });
    },
  };
}
