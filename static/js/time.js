// Times in the zone that the reader chose: UTC, their own, or the incident's. Never without its name.
import { $, all, say } from "./dom.js";

const MODES = ["utc", "local", "incident"];
const two = (n) => String(n).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

const incidentOffset = () => $("[data-zone-incident]")?.dataset.zoneIncident;
const mode = () => {
  const kept = localStorage.getItem("zone");
  return MODES.includes(kept) && (kept !== "incident" || incidentOffset() !== undefined) ? kept : "utc";
};

/** Minutes east of UTC at that moment: daylight saving is the browser's business. */
export function offset(at = new Date()) {
  const m = mode();
  return m === "local" ? -at.getTimezoneOffset() : m === "incident" ? Number(incidentOffset()) : 0;
}

function label(minutes) {
  if (!minutes) return "UTC";
  const m = Math.abs(minutes);
  return (minutes < 0 ? "−" : "+") + two(Math.floor(m / 60)) + (m % 60 ? ":" + two(m % 60) : "");
}

function parts(at) {
  const minutes = offset(at);
  const d = new Date(at.getTime() + minutes * 60000);
  return { d, zone: label(minutes), clock: `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}` };
}

/** `14:03 UTC`. */
export const clock = (at) => { const p = parts(at); return `${p.clock} ${p.zone}`; };

export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (s < 60) return `${s} s`;
  if (m < 60) return `${m} min`;
  if (h < 24) return m % 60 ? `${h} h ${two(m % 60)} min` : `${h} h`;
  return h % 24 ? `${Math.floor(h / 24)} d ${h % 24} h` : `${h / 24} d`;
}

const FORMS = {
  clock: (p) => p.clock,
  short: (p) => `${p.d.getUTCDate()} ${MONTHS[p.d.getUTCMonth()]} ${p.d.getUTCFullYear() === new Date().getFullYear() ? "" : `${p.d.getUTCFullYear()} `}${p.clock}`,
  full: (p) => `${p.d.toISOString().slice(0, 10)} ${p.clock}:${two(p.d.getUTCSeconds())}`,
};

/** Writes all times within `root` in the chosen zone. */
export function write(root = document) {
  for (const time of all("time[data-t]", root)) {
    const at = new Date(time.dateTime), form = time.dataset.t;
    if (form === "since") time.textContent = span(Date.now() - at);
    else if (form === "ago") time.textContent = `${span(Date.now() - at)} ago`;
    else {
      const p = parts(at), small = document.createElement("small");
      small.textContent = p.zone;
      time.replaceChildren(`${FORMS[form](p)} `, small);
      time.title = at.toISOString().slice(0, 19).replace("T", " ") + " UTC";
    }
  }
  days();
}

/** Rules between the days of the timeline, in the chosen zone. */
export function days() {
  const list = $("#timeline");
  if (!list) return;
  for (const rule of all(".day", list)) rule.remove();
  let last;
  for (const entry of all(".entry", list)) {
    const { d } = parts(new Date(entry.dataset.at)), day = d.toISOString().slice(0, 10);
    if (day === last) continue;
    last = day;
    const rule = document.createElement("li"), head = document.createElement("h3");
    head.textContent = d.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
    rule.className = "day";
    rule.append(head);
    entry.before(rule);
  }
}

export function next() {
  const modes = incidentOffset() === undefined ? MODES.slice(0, 2) : MODES;
  localStorage.setItem("zone", modes[(modes.indexOf(mode()) + 1) % modes.length]);
  show();
  say(`Times in ${$("#zone-label").textContent}`);
}

function show() {
  const minutes = offset(), m = mode();
  document.cookie = `zone=${minutes}; path=/; max-age=31536000; samesite=lax`;
  const name = m === "utc" ? "UTC" : `${m === "local" ? "your zone" : "the incident's zone"}, UTC${minutes ? label(minutes) : ""}`;
  $("#zone-label").textContent = `Times in ${name}`;
  const field = $("[data-composer] [name=zone]");
  if (field) field.value = minutes;
  write();
}

export function zones() {
  const button = $("[data-zone-next]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", next);
  // What the server wrote stands unless the reader's own zone says otherwise by now.
  if (mode() !== "utc" || document.body.dataset.zone !== "0") show();
  setInterval(() => { for (const t of all("time[data-t=since], time[data-t=ago]")) write(t.parentElement); }, 15000);
}
