// Before anything is shown: the look that the reader chose, or the system's.
document.body.dataset.theme = localStorage.getItem("theme") || "auto";
