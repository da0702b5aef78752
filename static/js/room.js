// Keys of an incident's room. Each does what something on the page does as well.
import { $, all, say } from "./dom.js";

const field = (selector) => { const one = $(selector); one?.focus(); one?.select?.(); };
const fold = (id, selector) => { const one = document.getElementById(id); if (one) { one.open = true; field(selector); } };

/** The entry that has the focus; says so when none has. */
function entry() {
  const one = document.activeElement.closest(".entry");
  if (!one) say("Choose an entry first, with j and k");
  return one;
}

/** Opens the entry's form by one of its links; the focus goes to `name`. */
function edit(link, name) {
  const one = entry(), open = one && $(link, one);
  if (one && !open) return say("Not for this entry");
  if (name) one?.addEventListener("focusin", () => setTimeout(() => $(`[name=${name}]`, one)?.focus()), { once: true });
  open?.click();
}

function pin() {
  const one = entry(), button = one && $('form:has([name=base_pinned]) button', one);
  button?.form.requestSubmit(button);
}

function kind(value) {
  const choice = $(`[data-composer] [name=kind][value=${value}]`);
  choice?.click();
  field("#note");
}

function fresh() {
  const waits = $("#newer:not([hidden])");
  waits ? waits.click() : $("#timeline [data-unread]")?.focus();
}

function marker(by) {
  const marks = all(".recorder .flight a").filter((mark) => mark.getClientRects().length), here = marks.indexOf(document.activeElement);
  marks[here < 0 ? (by > 0 ? 0 : marks.length - 1) : Math.min(marks.length - 1, Math.max(0, here + by))]?.focus();
}

export const ROOM = {
  w: ["Say what you are working on", () => field("#working")],
  u: ["First new entry", fresh],
  h: ["Write a hypothesis", () => kind("hypothesis")],
  a: ["Write an action", () => kind("action")],
  x: ["Attach a file", () => $("[data-composer] [type=file]")?.click()],
  "!": ["Severity and people", () => fold("details", "#f-severity")],
  t: ["Correct the time of the entry", () => edit("[data-edit]", "occurred_at")],
  m: ["Rule the hypothesis out: a misleading path", () => edit("[data-edit][href*=rule_out]")],
  s: ["Pin the entry into the postmortem, or unpin it", pin],
  "[": ["Mark before on the chart", () => marker(-1)],
  "]": ["Next mark on the chart", () => marker(1)],
  "g m": ["Go to the metrics, as the recorder saw them", () => { const one = document.getElementById("recorder"); one?.scrollIntoView({ block: "start" }); ($(".flight a", one) ?? one)?.focus({ preventScroll: true }); }],
  e: ["The whole room as text", () => { location.href = `/incidents/${$("[data-room]").dataset.room}/export`; }],
};
