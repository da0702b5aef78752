// Single keys, outside of fields only; `?` shows them and can switch them off (WCAG 2.1.4).
import { $, all } from "./dom.js";
import { next } from "./time.js";
import { focus } from "./composer.js";
import { ROOM } from "./room.js";

const KEYS = {
  n: ["Write an entry", () => focus()],
  "/": ["Search", () => $("#search")?.focus()],
  z: ["UTC, your zone, the incident's zone", next],
  c: ["Declare an incident", () => { location.href = "/incidents/new"; }],
  j: ["Next entry or row", () => step(1)],
  k: ["Entry or row before", () => step(-1)],
  "?": ["This list", () => sheet()],
};
/** What the keys do on this page. */
const known = () => ($("[data-room]") ? { ...KEYS, ...ROOM } : KEYS);
const off = () => localStorage.getItem("keys") === "off";

function step(by) {
  const rows = all(".entry, [data-row]"), here = rows.indexOf(document.activeElement.closest(".entry, [data-row]"));
  const row = rows[here < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + by))];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function sheet() {
  const dialog = document.createElement("dialog"), title = document.createElement("h2"), list = document.createElement("dl");
  dialog.className = "keys";
  dialog.setAttribute("aria-labelledby", "keys-title");
  title.id = "keys-title";
  title.textContent = "Keys";
  for (const [key, [what]] of Object.entries(known())) {
    const dt = document.createElement("dt"), kbd = document.createElement("kbd"), dd = document.createElement("dd");
    kbd.textContent = key;
    dt.append(kbd);
    dd.textContent = what;
    list.append(dt, dd);
  }
  const toggle = document.createElement("button"), close = document.createElement("button");
  toggle.className = close.className = "btn";
  toggle.textContent = off() ? "Switch single keys on" : "Switch single keys off";
  toggle.addEventListener("click", () => { localStorage.setItem("keys", off() ? "on" : "off"); dialog.close(); });
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  const buttons = document.createElement("p");
  buttons.className = "btns";
  buttons.append(close, toggle);
  dialog.append(title, list, buttons);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export function keys() {
  const button = $("[data-keys]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", sheet);
  }
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      for (const menu of all(".menu[open]")) { menu.open = false; $("summary", menu).focus(); }
      if (["note", "search", "working"].includes(field?.id)) field.blur();
    }
    const action = known()[event.key];
    if (field || off() || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]") || !action) return;
    event.preventDefault();
    action[1]();
  });
}
