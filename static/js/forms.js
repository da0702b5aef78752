// Forms marked `data-swap` are sent without leaving the page. The answer holds whole elements that take
// the place of those with the same id; a refused form comes back with the reasons beside its fields.
import { $, ask, elements, say } from "./dom.js";
import { place } from "./timeline.js";

export function forms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-swap]")) {
      event.preventDefault();
      send(form, event.submitter);
    }
  });
  document.addEventListener("click", (event) => {
    const edit = event.target.closest("[data-edit]"), cancel = event.target.closest("[data-cancel], form.again a.btn");
    if ((!edit && !cancel) || event.ctrlKey || event.metaKey) return;
    const entry = event.target.closest(".entry");
    if (!entry) return;
    event.preventDefault();
    if (edit) open(entry, edit.href);
    else refresh(entry);
  });
  // One menu at a time, and none after Escape or a click beside it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  // Links to a fold open it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-open]"), fold = link && document.getElementById(link.dataset.open);
    if (fold) fold.open = true;
  });
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
}

async function open(entry, href) {
  entry.querySelector(".menu").open = false;
  try {
    const [form] = elements(await ask(href));
    entry.querySelector("form.edit")?.remove();
    $(".body", entry).append(form);
    form.querySelector("textarea, input:not([type=hidden])").focus();
    form.scrollIntoView({ block: "nearest" });
  } catch {
    location.href = href;
  }
}

async function refresh(entry) {
  $("form.edit, form.again", entry)?.remove();
  try {
    const room = $("[data-room]").dataset.room;
    place(elements(await ask(`/incidents/${room}/parts/timeline-entry/${entry.id.slice(6)}`))[0], true);
  } catch { /* the entry as it was is fine */ }
  entry.focus();
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  form.querySelector(".failed")?.remove();
  try {
    const html = await ask(form.action, { method: "POST", body });
    if (form.hasAttribute("data-fresh")) form.reset();
    else for (const field of form.elements) if ("defaultValue" in field) field.defaultValue = field.value;
    form.closest("details.menu")?.removeAttribute("open");
    const entry = form.closest(".entry");
    form.matches(".edit, .again") && form.remove();
    document.activeElement?.blur?.();
    for (const element of elements(html)) place(element, true);
    (entry && document.getElementById(entry.id))?.focus({ preventScroll: true });
    say("Saved");
  } catch (error) {
    const [answer] = elements(error.html ?? "");
    if (answer?.matches("form.again")) {
      form.replaceWith(answer);
      (answer.querySelector("[aria-invalid]") ?? answer).focus();
    } else {
      const words = answer ?? document.createElement("p");
      if (!answer) words.textContent = "The server does not answer. Your text is kept in this form; send it again in a moment.";
      words.classList.add("failed", "notice", "bad");
      form.append(words);
    }
    say("Not saved");
  }
  for (const button of buttons) button.disabled = false;
}
