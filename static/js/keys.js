// Single keys, outside of fields only; `?` shows them and can switch them off (WCAG 2.1.4).
import { $, all } from "./dom.js";
import { next } from "./time.js";
import { focus } from "./composer.js";
import { ROOM } from "./room.js";

const to = (address) => () => { location.href = address; };
const ROWS = ".entry, [data-row]";
const here = () => document.activeElement?.closest(ROWS);

/** On a Mac the other key; it works in fields too, and when single keys are off. */
const PALETTE = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ k" : "Ctrl k";

const EVERYWHERE = {
  c: ["Declare an incident", to("/incidents/new")],
  "/": ["Search", () => $("#search")?.focus()],
  z: ["UTC, your zone, the incident's zone", next],
  "?": ["This list", () => sheet()],
  [PALETTE]: ["All of this by its name", () => actions()],
  "g d": ["Go to the dashboard", to("/")],
  "g i": ["Go to the incidents", to("/incidents")],
  "g b": ["Go to the balancers", to("/balancers")],
  "g t": ["Go to the tasks", to("/tasks")],
  "g p": ["Go to the postmortems", to("/postmortems")],
  "g s": ["Go to the settings", to("/settings")],
};
const LISTS = {
  j: ["Next entry or row", () => step(1)],
  k: ["Entry or row before", () => step(-1)],
  Enter: ["Open the row", () => row()?.click()],
};
const WRITING = {
  n: ["Write an entry", () => focus()],
};
const GROUPS = [["Everywhere", EVERYWHERE], ["In lists", LISTS], ["In the room of an incident", { ...WRITING, ...ROOM }]];
/** What the keys do on this page. */
const keysHere = () => ({ ...EVERYWHERE, ...LISTS, ...WRITING, ...($("[data-room]") ? ROOM : {}) });
/** By name: all that a key does here but moving from row to row, which needs the row that has the focus. Few ask for it,
    so it comes when they do. */
async function actions() {
  const { palette } = await import("./palette.js");
  if ($("dialog[open]")) return;
  const named = Object.entries(keysHere()).filter(([key]) => key !== PALETTE && !(key in LISTS));
  palette(named.map(([key, [what, run]]) => [what, run, key]));
}

const off = () => localStorage.getItem("keys") === "off";

function step(by) {
  const rows = all(ROWS), at = rows.indexOf(here());
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

/** The link that a row stands for; a row that is a link opens by itself. */
const row = () => (document.activeElement?.matches("[data-row]:not(a)") ? $("a[href]", document.activeElement) : null);

function sheet() {
  const dialog = document.createElement("dialog"), title = document.createElement("h2");
  dialog.className = "keys";
  dialog.setAttribute("aria-labelledby", "keys-title");
  title.id = "keys-title";
  title.textContent = "Keys";
  dialog.append(title);
  for (const [name, keys] of GROUPS) {
    const head = document.createElement("h3"), list = document.createElement("dl");
    head.textContent = name;
    for (const [key, [what]] of Object.entries(keys)) {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      for (const part of key.split(" ")) {
        const kbd = document.createElement("kbd");
        kbd.textContent = part;
        dt.append(kbd, " ");
      }
      dd.textContent = what;
      list.append(dt, dd);
    }
    dialog.append(head, list);
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
  dialog.append(buttons);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Tells in the tooltip which key leads where a link of the navigation leads. */
function tips() {
  for (const [key, address] of [["g i", "/incidents"], ["g b", "/balancers"], ["g t", "/tasks"], ["g p", "/postmortems"], ["g s", "/settings"]]) {
    $(`nav[aria-label=Main] a[href="${address}"]`)?.setAttribute("title", `Key: ${key}`);
  }
}

export function keys() {
  const button = $("[data-keys]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", sheet);
  }
  tips();
  let first = "", until = 0;
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      for (const menu of all(".menu[open]")) { menu.open = false; $("summary", menu).focus(); }
      if (["note", "search", "working"].includes(field?.id)) field.blur();
    }
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k" && !$("dialog[open]")) {
      event.preventDefault();
      actions();
      return;
    }
    if (field || off() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("dialog[open]")) return;
    const known = keysHere(), pair = first && event.timeStamp < until ? `${first} ${event.key}` : "";
    first = "";
    if (event.key === "g" && !pair) {
      [first, until] = ["g", event.timeStamp + 1500];
      return;
    }
    const action = known[pair] ?? known[event.key];
    // Enter on a link or a button is theirs.
    if (!action || (event.key === "Enter" && !row())) return;
    event.preventDefault();
    action[1]();
  });
}
