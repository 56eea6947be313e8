"use strict";
// Search as one types, tick all, names of settings. Every page works without it.
(() => {
  const later = (ms, what) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(what, ms); }; };
  for (const form of document.querySelectorAll("form[data-live]")) {
    let latest = 0;
    const look = async () => {
      const fields = [...new FormData(form)].filter(([, value]) => value !== "");
      const address = `${form.getAttribute("action")}?${new URLSearchParams(fields)}`;
      const mine = ++latest;
      const answer = await fetch(address, { credentials: "same-origin" }).catch(() => null);
      if (!answer || mine !== latest) return;
      if (answer.redirected) { location.assign(address); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById("results"), here = document.getElementById("results");
      if (mine !== latest || !here) return;
      if (found) { here.replaceWith(document.importNode(found, true)); history.replaceState(null, "", address); }
      else { here.textContent = page.querySelector("[role=alert]")?.textContent ?? ""; }
    };
    form.addEventListener("input", later(250, look));
  }
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-all]")) return;
    for (const box of document.querySelectorAll("input[name=mac][type=checkbox]")) box.checked = event.target.checked;
  });
  let list = null;
  document.addEventListener("input", async (event) => {
    const field = event.target;
    if (!field.matches("[data-names]")) return;
    if (!list) { list = document.createElement("datalist"); list.id = "names"; document.body.append(list); }
    field.setAttribute("list", "names");
    const answer = await fetch(`/console/setting-names?q=${encodeURIComponent(field.value)}`).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    list.replaceChildren(...(await answer.json()).map((name) => Object.assign(document.createElement("option"), { value: name })));
  });
})();
