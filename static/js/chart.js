// Links chart and timeline: a mark lights its entry and the reverse; a click opens the composer there.
import { $, all } from "./dom.js";
import { at as compose } from "./composer.js";
import { clock } from "./time.js";

// Where the time axis lies in each drawing, as parts of its width (signal::chart, `Layout`).
const AXIS = { "flight-wide": [152 / 1180, 1048 / 1180], "flight-narrow": [56 / 360, 352 / 360] };
const HALF = 15 * 60000;

function heat(id) {
  for (const hot of all(".is-hot")) hot.classList.remove("is-hot");
  if (!id) return;
  for (const mark of all(`.mark[data-entry="${CSS.escape(id)}"]`)) mark.classList.add("is-hot");
  document.getElementById(`entry-${id}`)?.classList.add("is-hot");
}

const idOf = (target) => target.closest?.(".mark, .flight a")?.closest("a")?.getAttribute("href")?.slice(7) ?? target.closest?.(".entry")?.id.slice(6);

/** The moment under the pointer, or nothing beside the axis. */
function moment(chart, event) {
  const svg = event.target.closest("svg.flight");
  if (!svg) return;
  const [left, right] = AXIS[svg.classList.contains("flight-wide") ? "flight-wide" : "flight-narrow"];
  const box = svg.getBoundingClientRect(), part = ((event.clientX - box.left) / box.width - left) / (right - left);
  if (part < 0 || part > 1) return;
  const from = Date.parse(chart.dataset.from), to = Date.parse(chart.dataset.to);
  return new Date(from + part * (to - from));
}

export function charts(room) {
  for (const type of ["pointerover", "focusin"]) room.addEventListener(type, (event) => heat(idOf(event.target)));
  const cursor = document.createElement("div"), text = document.createElement("span");
  cursor.className = "cursor";
  cursor.setAttribute("aria-hidden", "true");
  cursor.append(text);
  room.addEventListener("pointermove", (event) => {
    const chart = event.target.closest(".recorder .chart"), when = chart && moment(chart, event);
    if (!when) return cursor.remove();
    chart.append(cursor);
    // Set through the object model, which the content security policy permits.
    cursor.style.left = `${event.clientX - chart.getBoundingClientRect().left}px`;
    text.textContent = clock(when);
    chart.closest(".recorder").classList.add("has-cursor");
  });
  room.addEventListener("click", (event) => {
    const chart = event.target.closest(".recorder .chart");
    if (!chart || event.target.closest("a")) return;
    const when = moment(chart, event);
    if (when) compose(when, new Date(+when - HALF), new Date(+when + HALF), chart.dataset.pool);
  });
  room.addEventListener("click", (event) => {
    const link = event.target.closest(".flight a");
    const entry = link && $(link.getAttribute("href"));
    if (!entry) return;
    event.preventDefault();
    entry.scrollIntoView({ block: "center" });
    entry.focus({ preventScroll: true });
  });
}
