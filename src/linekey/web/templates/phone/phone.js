// Keeps the phone's screen fresh, and lets its keys be pressed from the keyboard; without
// it a reload and the tab key do the same.
"use strict";
const screenElement = document.getElementById("screen");
const choices = () => [...screenElement.querySelectorAll("button.entry, .typing input:not([type=hidden]), .typing button")];

function isTyping() {
  return [...screenElement.querySelectorAll(".typing input:not([type=hidden])")]
    .some((input) => input.value !== input.defaultValue);
}

async function refresh() {
  if (!document.hidden && !isTyping()) {
    try {
      const answer = await fetch(screenElement.dataset.fresh, { redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("screen");
      const focused = screenElement.contains(document.activeElement);
      const turned = fresh && fresh.dataset.serial !== screenElement.dataset.serial;
      if (fresh && (turned || !focused) && fresh.innerHTML !== screenElement.innerHTML) {
        screenElement.innerHTML = fresh.innerHTML;
        screenElement.dataset.serial = fresh.dataset.serial;
        document.querySelectorAll("input[name=serial]").forEach((i) => { i.value = fresh.dataset.serial; });
        if (turned && focused) choices()[0]?.focus();
      }
    } catch { /* the phone restarts: the next round finds it */ }
  }
  setTimeout(refresh, 2000);
}

function onKey(event) {
  const inField = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const list = choices();
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (inField && !screenElement.contains(event.target)) return;
    if (!list.length) return;
    const at = list.indexOf(document.activeElement);
    const step = event.key === "ArrowDown" ? 1 : -1;
    list[at < 0 ? 0 : (at + step + list.length) % list.length].focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    screenElement.querySelector("[data-back]")?.click();
  } else if (!inField && /^[0-9*#]$/.test(event.key)) {
    const soft = [...screenElement.querySelectorAll("[data-key]")].find((b) => b.dataset.key === event.key);
    const entry = screenElement.querySelectorAll("button.entry")[Number(event.key) - 1];
    (soft ?? entry)?.click();
  } else if (/^F[1-4]$/.test(event.key)) {
    const soft = [...screenElement.querySelectorAll("[data-key]")].find((b) => b.dataset.key.toUpperCase() === event.key);
    if (soft) { event.preventDefault(); soft.click(); }
  }
}

if (screenElement) {
  setTimeout(refresh, 2000);
  document.addEventListener("keydown", onKey);
  if (screenElement.querySelector(".page")) choices()[0]?.focus();
}
