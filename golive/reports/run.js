"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("details.row")];
  const form = $("filter");

  // A link to something inside closed details opens them.
  const reveal = () => {
    const target = $(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden) { form.reset(); filter(); }
    for (let d = target.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
    target.scrollIntoView();
    target.querySelector("summary")?.focus({ preventScroll: true });
  };

  const text = new Map();
  const words = (row) => {
    if (!text.has(row)) text.set(row, row.textContent.toLowerCase());
    return text.get(row);
  };

  function filter() {
    const wanted = $("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set([...form.querySelectorAll("[name=v]:checked")].map((b) => b.value));
    const owner = $("o"), area = $("a");
    let shown = 0;
    for (const row of rows) {
      const fits = verdicts.has(row.dataset.v)
        && (!owner.selectedIndex || row.dataset.o === owner.value)
        && (!area.selectedIndex || row.dataset.a === area.value)
        && wanted.every((w) => words(row).includes(w));
      row.hidden = !fits;
      shown += fits;
    }
    for (const group of document.querySelectorAll(".items .task, .items .block"))
      group.hidden = !group.querySelector("details.row:not([hidden])");
    $("none").hidden = shown > 0;
    $("shown").textContent = shown === rows.length
      ? `${rows.length} shown` : `${shown} of ${rows.length} shown`;
    form.classList.toggle("narrowed", shown !== rows.length);
  }

  if (form) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (e) => e.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    const all = (open) => () => rows.forEach((r) => { if (!r.hidden) r.open = open; });
    $("open").addEventListener("click", all(true));
    $("close").addEventListener("click", all(false));
    filter();
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (e) => {
    const link = e.target.closest?.("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });
  if (location.hash) reveal();

  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const pre = button.closest("details").querySelector("pre");
      try {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = "Copied";
      } catch {  // a page from a file may not: then it is selected, to be copied by hand
        getSelection().selectAllChildren(pre);
        button.textContent = "Selected";
      }
    });
  }

  // Paper cannot be clicked: the sheets are printed whole, then put back.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.sheet:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
