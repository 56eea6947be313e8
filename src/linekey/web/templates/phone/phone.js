// Keeps the phone's screen fresh; without it a reload does the same.
"use strict";
const screenElement = document.getElementById("screen");
async function refresh() {
  const focused = screenElement.contains(document.activeElement);
  if (!document.hidden && !focused) {
    try {
      const answer = await fetch(screenElement.dataset.fresh, { redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("screen");
      if (fresh && fresh.innerHTML !== screenElement.innerHTML) {
        screenElement.innerHTML = fresh.innerHTML;
      }
    } catch { /* the phone restarts: the next round finds it */ }
  }
  setTimeout(refresh, 2000);
}
if (screenElement) setTimeout(refresh, 2000);
