// Keeps parts of a page fresh while somebody looks at it, and copies what is shown once. Everything here works
// without it: reload the page, select the text.

// [data-refresh=URL] is fetched again every [data-refresh-every] seconds, or when the stream
// [data-refresh-on=URL] says that something changed.
for (const part of document.querySelectorAll("[data-refresh]")) {
  let running = false, asked = false;

  // Not under somebody's hands: an open menu or a field in use stays as it is.
  const inUse = () => part.querySelector("details[open]") ||
    (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

  const refresh = async () => {
    if (running || document.hidden || inUse()) { asked = true; return; }
    running = true;
    asked = false;
    try {
      const answer = await fetch(part.dataset.refresh, { headers: { "x-fragment": "1" } });
      if (answer.ok) {
        Idiomorph.morph(part, await answer.text(), { morphStyle: "innerHTML", ignoreActiveValue: true });
        document.dispatchEvent(new CustomEvent("afterload:fresh", { detail: part }));
      }
      part.classList.toggle("stale", !answer.ok);
    } catch {
      part.classList.add("stale");
    }
    running = false;
  };

  const every = Number(part.dataset.refreshEvery);
  if (every) setInterval(refresh, every * 1000);
  document.addEventListener("visibilitychange", () => { if (asked) refresh(); });

  if (part.dataset.refreshOn) {
    let soon;
    const later = () => { clearTimeout(soon); soon = setTimeout(refresh, 250); };
    const stream = new EventSource(part.dataset.refreshOn);
    for (const kind of ["incident.opened", "incident.changed", "incident.deleted", "alert.changed", "task.changed",
      "snapshot.taken", "balancer.changed"]) stream.addEventListener(kind, later);
    setInterval(refresh, 60_000);
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    const word = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = word; }, 2000);
  });
}
