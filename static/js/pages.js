// For pages beside the room: keeps parts fresh while somebody looks at them, and copies what is shown once.
// Everything here works without it: reload the page, select the text.
import { all, ask, busy, morph } from "./dom.js";
import { write } from "./time.js";

// The insides of [data-refresh=ADDRESS] are fetched again every [data-every] seconds.
for (const part of all("[data-refresh]")) {
  let running = false;
  const refresh = async () => {
    if (running || document.hidden || busy(part)) return;
    running = true;
    try {
      const fresh = part.cloneNode();
      fresh.innerHTML = await ask(part.dataset.refresh);
      fresh.classList.remove("stale");
      morph(part, fresh);
      write(part);
    } catch {
      part.classList.add("stale");
    }
    running = false;
  };
  setInterval(refresh, Number(part.dataset.every) * 1000);
  document.addEventListener("visibilitychange", refresh);
}

for (const button of all("[data-copy]")) {
  if (!navigator.clipboard) continue;
  const word = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = word; }, 2000);
  });
}
