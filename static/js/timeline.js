// The timeline in an open page: where entries go, which of them wait behind "3 new", what the reader has seen.
// What somebody is writing in is never touched, and nothing that is being read moves.
import { $, all, ask, busy, morph, say } from "./dom.js";
import { days, write } from "./time.js";

let room, waiting = [], read, newest, mayRead;
// Until when what comes is what was missed: the tab was hidden, or the server away.
let missedUntil = 0;
// Entries that were told of and are still on their way, with the events that added them.
const coming = new Map();

const entries = () => all("#timeline .entry");
const key = (entry) => `${entry.dataset.at} ${entry.id}`;
/** Whether `a` stands below `b`. Times differ in their digits behind the second; they are compared as instants first. */
const below = (a, b) => {
  const d = new Date(a.dataset.at) - new Date(b.dataset.at);
  return d > 0 || (d === 0 && key(a) > key(b));
};

/** Does something that may change heights; what is at the top of the view stays where it is. */
function hold(work) {
  const list = $("#timeline")?.getBoundingClientRect(), edge = ($(".bar")?.getBoundingClientRect().bottom ?? 0) + 1;
  const inside = list && list.top < edge && list.bottom > edge;
  const kept = inside && entries().find((entry) => entry.getBoundingClientRect().bottom > edge);
  const { id } = kept || {}, top = kept && kept.getBoundingClientRect().top;
  work();
  const after = id && document.getElementById(id);
  const moved = after ? after.getBoundingClientRect().top - top : 0;
  if (moved) scrollBy({ top: moved, behavior: "instant" });
}

/** Puts an element where it belongs: over its old self, or into the timeline at its time. */
export function place(fresh, own = false) {
  if (!fresh?.id) return;
  const seq = coming.get(fresh.id);
  coming.delete(fresh.id);
  const old = document.getElementById(fresh.id);
  if (old) {
    if (!own && busy(old)) return mark(old, fresh);
    const { at, unread } = old.dataset;
    if (unread) fresh.dataset.unread = unread;
    hold(() => {
      morph(old, fresh);
      const now = document.getElementById(fresh.id);
      if (now.dataset.at !== at) insert(now);
      write(now);
    });
  } else if (fresh.matches(".gone")) {
    // Deleted before it was shown.
    waiting = waiting.filter((entry) => entry.id !== fresh.id);
    newer();
  } else if (fresh.matches(".entry")) {
    const [first] = entries(), before = waiting.find((entry) => entry.id === fresh.id);
    // A change to one of the earlier entries, which this page does not show.
    if (!own && seq === undefined && !before && $("#earlier") && first && below(first, fresh)) return;
    const others = !own && seq !== undefined && seq > read;
    if (others) fresh.dataset.unread = seq;
    else if (before?.dataset.unread) fresh.dataset.unread = before.dataset.unread;
    const end = entries().pop(), last = !end || below(fresh, end);
    if (!own && !(last && !waiting.length && atEnd())) {
      waiting = waiting.filter((entry) => entry.id !== fresh.id).concat(fresh);
      return newer();
    }
    // What comes in under somebody's eyes is not new to them.
    const missed = document.hidden || Date.now() < missedUntil;
    if (others && !missed) delete fresh.dataset.unread;
    add(fresh);
    if (own || !missed) fresh.scrollIntoView({ block: "nearest", behavior: "instant" });
  }
  reading();
}

function add(entry) {
  waiting = waiting.filter((other) => other.id !== entry.id);
  hold(() => {
    insert(entry);
    write(entry);
    divide();
  });
  count(1);
  newer();
  $("#none")?.remove();
}

function mark(old, fresh) {
  // The parts that nobody writes in may still be renewed, each by itself.
  if (old.id === "side" || old.id === "head") {
    for (const part of all(":scope > .card, :scope > .bar", fresh)) {
      const own = part.id ? document.getElementById(part.id) : $(".bar", old);
      if (own && !busy(own)) morph(own, part);
    }
    write(old);
  } else if (old.id === "people") {
    morph($("ul", old), $("ul", fresh));
    write(old);
  } else if (old.dataset.version !== fresh.dataset.version) old.classList.add("meanwhile");
}

function insert(entry) {
  const next = entries().find((other) => other !== entry && below(other, entry));
  $("#timeline").insertBefore(entry, next ?? null);
  days();
}

/** The number of entries in the heading. */
function count(more) {
  const total = $("#total");
  if (!total) return;
  const n = (total.dataset.total = Number(total.dataset.total) + more);
  total.textContent = `${n} ${n === 1 ? "entry" : "entries"}`;
}

/** Whether the end of the timeline is in view, above a composer that covers the page's end. */
function atEnd() {
  const end = entries().pop()?.getBoundingClientRect(), box = $(".composer.open");
  const foot = box && getComputedStyle(box).position === "sticky" ? box.getBoundingClientRect().top : innerHeight;
  return !end || (end.bottom > 0 && end.bottom <= foot + 24);
}

function newer() {
  const button = $("#newer");
  if (!button) return;
  button.hidden = !waiting.length;
  button.textContent = `${waiting.length} new`;
}

function showWaiting() {
  for (const entry of [...waiting].sort((a, b) => (below(a, b) ? 1 : -1))) add(entry);
}

/** The line above what is new: made where it is missing, moved up where something new stands above it. */
function divide() {
  const fresh = all("#timeline [data-unread]"), line = $("#unread");
  if (!fresh.length) return line?.remove();
  const rule = line ?? $("#unread-line").content.firstElementChild.cloneNode(true);
  const [first] = fresh, above = first.previousElementSibling?.matches(".day") ? first.previousElementSibling : first;
  if (!line || first.compareDocumentPosition(line) & Node.DOCUMENT_POSITION_FOLLOWING) above.before(rule);
  if (!line || Number($(".n", rule).textContent) < fresh.length) $(".n", rule).textContent = fresh.length;
}

/** What was added up to the event `seq` is not new any more. */
function forget(seq) {
  hold(() => {
    const n = $("#unread .n");
    if (n) n.textContent = 0;
    for (const entry of [...all("#timeline [data-unread]"), ...waiting]) if (Number(entry.dataset.unread) <= seq) delete entry.dataset.unread;
    divide();
    $("#catch-up")?.remove();
  });
}

/** Another entry was added by the event `seq`, and is on its way. */
export function expect(id, seq, by) {
  newest = Math.max(newest, seq);
  if (by === document.body.dataset.me) return;
  coming.set(`entry-${id}`, seq);
  tell(by);
}

/** It will not come: it was deleted again. */
export const lost = (id) => coming.delete(`entry-${id}`);

let arrived = [], telling;
function tell(by) {
  arrived.push(by);
  clearTimeout(telling);
  telling = setTimeout(() => {
    say(arrived.length === 1 ? `New entry by ${by}` : `${arrived.length} new entries`);
    arrived = [];
  }, 500);
}

/** The same reader has read up to `seq`, in this tab or another one. */
export function readElsewhere(seq) {
  if (seq === null || seq <= read) return;
  read = seq;
  forget(seq);
}

const owes = () => mayRead && newest > read && !document.hidden && !waiting.length && !coming.size && atEnd();

/** Who looks at the end for a moment has read everything; the line stays where it is until the page is left. */
let dwelling, dwellsOn;
function reading() {
  const on = owes() ? newest : null;
  // The moment goes on while other things move in the room.
  if (on === dwellsOn) return;
  clearTimeout(dwelling);
  dwellsOn = on;
  if (on !== null) dwelling = setTimeout(() => {
    dwellsOn = null;
    if (owes()) send(newest);
  }, 2000);
}

/** Gives back what went wrong, if something did. */
async function send(seq) {
  const before = read;
  read = Math.max(read, seq);
  try {
    await ask(`/incidents/${room.dataset.room}/read`, { method: "POST", body: new URLSearchParams({ seq }) });
  } catch (error) {
    // The server keeps the mark that it has; the next look at the end tries again.
    read = before;
    return error;
  }
}

/** Why something was not done, by what the server answered. */
const WHY = { 401: "you are signed out", 403: "you may not do this", 404: "this incident is not here any more" };

export function timeline(within) {
  room = within;
  read = Number(room.dataset.read);
  newest = Number(room.dataset.newest);
  mayRead = room.hasAttribute("data-live");
  addEventListener("scroll", () => {
    if (waiting.length && atEnd()) showWaiting();
    reading();
  }, { passive: true });
  const back = () => {
    missedUntil = Date.now() + 3000;
    reading();
  };
  document.addEventListener("visibilitychange", back);
  addEventListener("afterload:online", back);
  $("#newer")?.addEventListener("click", () => {
    const first = waiting.reduce((a, b) => (below(a, b) ? b : a)).id;
    showWaiting();
    const entry = document.getElementById(first);
    entry.scrollIntoView({ block: "center", behavior: "instant" });
    entry.focus({ preventScroll: true });
  });
  room.addEventListener("submit", async (event) => {
    if (!event.target.matches("[data-read-form]")) return;
    event.preventDefault();
    // What waits was not seen.
    const unseen = Math.min(...waiting.map((entry) => Number(entry.dataset.unread ?? Infinity)));
    const seq = Math.min(Math.max(newest, Number(room.dataset.seq)), unseen - 1);
    const failed = await send(seq);
    if (failed) return say(`Not marked: ${WHY[failed.status] ?? "the server does not answer"}`);
    forget(seq);
    say("Marked as read");
  });
  if (Number(room.dataset.read) >= 0) divide();
  reading();
}
