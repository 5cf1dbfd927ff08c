"use strict";
(() => {
  const all = (words) => [...document.querySelectorAll(words)];
  const box = (id) => document.getElementById(id);
  document.documentElement.classList.add("on");
  const go = (step) => {
    const cells = all("article.cell").filter((cell) => cell.offsetParent !== null);
    const now = cells.indexOf(document.activeElement.closest("article.cell"));
    const next = cells[now < 0 ? (step > 0 ? 0 : cells.length - 1) : now + step];
    if (next) { next.focus({ preventScroll: true }); next.scrollIntoView(); }
  };
  const flip = (id) => { box(id).checked = !box(id).checked; };
  const keys = { j: () => go(1), k: () => go(-1), u: () => flip("unified"), o: () => flip("hide-outputs") };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]),textarea,select");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !Object.hasOwn(keys, event.key)) return;
    keys[event.key]();
  });
  for (const pair of all(".pair")) {
    if (pair.querySelectorAll("img").length !== 2) continue;
    const button = document.createElement("button");
    const slider = document.createElement("input");
    button.type = "button";
    button.className = "slide";
    button.textContent = "Lay over each other";
    button.setAttribute("aria-pressed", "false");
    slider.type = "range";
    slider.hidden = true;
    slider.className = "slide";
    slider.setAttribute("aria-label", "How much of the picture before is shown");
    slider.addEventListener("input", () => pair.style.setProperty("--at", slider.value + "%"));
    button.addEventListener("click", () => {
      const over = pair.classList.toggle("over");
      button.setAttribute("aria-pressed", String(over));
      slider.hidden = !over;
    });
    pair.after(button, slider);
  }
})();
