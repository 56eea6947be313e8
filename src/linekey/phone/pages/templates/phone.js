// Keeps the phone's screen and the cards beside it fresh, and lets its keys be pressed
// from the keyboard; without it a reload and the tab key do the same.
//
// Rule: what did not change stays the very element it was, so that focus, selection and
// what somebody has typed survive. A page of the phone that somebody types into stays
// until it is sent, even when the phone shows another by now; the phone then says so.
"use strict";
const screenElement = document.getElementById("screen");
const choices = () => [...screenElement.querySelectorAll("button.entry, .typing input:not([type=hidden]), .typing button")];

function isTyping() {
  return [...screenElement.querySelectorAll(".typing input:not([type=hidden])")]
    .some((input) => input.value !== input.defaultValue);
}

const isKept = (node) => node.dataset?.shows !== undefined && isTyping();

// Whether one may be made from the other, rather than put in its place.
function isAlike(node, wanted) {
  if (node.nodeName !== wanted.nodeName || node.nodeType !== Node.ELEMENT_NODE) return node.nodeName === wanted.nodeName;
  return ["class", "name", "action", "href"].every((a) => node.getAttribute(a) === wanted.getAttribute(a))
    || node.id !== "" && node.id === wanted.id
    || node.dataset.shows !== undefined && wanted.dataset.shows !== undefined;
}

function patch(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.data !== wanted.data) node.data = wanted.data;
    return;
  }
  if (node.dataset.shows !== wanted.dataset.shows) {
    if (!isKept(node)) node.replaceWith(wanted);
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  patchChildren(node, wanted);
}

function patchChildren(node, wanted) {
  let at = node.firstChild;
  const dropUntil = (end) => {
    while (at !== end) {
      const old = at;
      at = at.nextSibling;
      if (!isKept(old)) old.remove();
    }
  };
  for (const child of [...wanted.childNodes]) {
    let found = at;
    // Text is matched in its place only, or white space would drop what comes before it.
    while (found && !isAlike(found, child)) found = child.nodeType === Node.ELEMENT_NODE ? found.nextSibling : null;
    if (found) {
      dropUntil(found);
      at = found.nextSibling;
      patch(found, child);
    } else {
      node.insertBefore(child, at);
    }
  }
  dropUntil(null);
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(screenElement.dataset.fresh, { redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = document.activeElement;
      const inside = screenElement.contains(focused);
      const shown = screenElement.dataset.serial;
      for (const part of document.querySelectorAll("[data-live]")) {
        const wanted = page.getElementById(part.id);
        if (wanted) patch(part, wanted);
      }
      // What was said belonged to the page that was on the screen.
      if (screenElement.dataset.serial !== shown) document.querySelector(".flash")?.remove();
      if (inside && !focused.isConnected) choices()[0]?.focus();
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
