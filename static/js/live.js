// One stream a page: it says what changed, and the changed parts are fetched and laid over the old ones.
// What somebody is writing in is never touched, and nothing that is being read moves.
import { $, all, ask, busy, elements, morph, say } from "./dom.js";
import { clock, days, write } from "./time.js";

const PARTS = {
  "incident.changed": ["header", "side"],
  "incident.deleted": ["reload"],
  "task.changed": ["side"],
  "alert.changed": ["side"],
  "snapshot.linked": ["side", "recorder"],
  "snapshot.taken": [],
};
const IDS = { header: "head", side: "side", recorder: "recorder" };

let room, waiting = [], due = new Set(), timer;

/** Puts an element where it belongs: over its old self, or into the timeline at its time. */
export function place(fresh, own = false) {
  if (!fresh?.id) return;
  const old = document.getElementById(fresh.id);
  if (old) {
    if (!own && busy(old)) return mark(old, fresh);
    const at = old.dataset.at;
    morph(old, fresh);
    const now = document.getElementById(fresh.id);
    if (now.dataset.at !== at) insert(now);
    write(now);
  } else if (fresh.matches(".entry")) {
    if (!own && !atEnd()) {
      waiting = waiting.filter((entry) => entry.id !== fresh.id).concat(fresh);
      return newer();
    }
    insert(fresh);
    write(fresh);
    count(1);
    $("#none")?.remove();
    if (own) fresh.scrollIntoView({ block: "nearest" });
  }
}

function mark(old, fresh) {
  // The parts that nobody writes in may still be renewed, each by itself.
  if (old.id === "side" || old.id === "head") {
    for (const part of all(":scope > .card, :scope > .bar", fresh)) {
      const own = part.id ? document.getElementById(part.id) : $(".bar", old);
      if (own && !busy(own)) morph(own, part);
    }
    write(old);
  } else if (old.dataset.version !== fresh.dataset.version) old.classList.add("meanwhile");
}

function insert(entry) {
  const list = $("#timeline"), key = (e) => `${e.dataset.at} ${e.id}`;
  // Times differ in their digits behind the second; compare as instants first.
  const before = all(".entry", list).find((e) => {
    const d = new Date(e.dataset.at) - new Date(entry.dataset.at);
    return e !== entry && (d > 0 || (d === 0 && key(e) > key(entry)));
  });
  list.insertBefore(entry, before ?? null);
  days();
}

/** The number of entries in the heading. */
function count(more) {
  const total = $("#total");
  if (!total) return;
  const n = (total.dataset.total = Number(total.dataset.total) + more);
  total.textContent = `${n} ${n === 1 ? "entry" : "entries"}`;
}

/** Whether the end of the timeline is in view: only then may entries come in by themselves. */
function atEnd() {
  const last = all("#timeline .entry").pop();
  return !last || last.getBoundingClientRect().top < innerHeight;
}

function newer() {
  const button = $("#newer");
  if (!button) return;
  button.hidden = !waiting.length;
  button.textContent = `${waiting.length} new`;
}

function showWaiting() {
  const entries = waiting;
  waiting = [];
  newer();
  for (const entry of entries) place(entry, true);
}

function want(part) {
  due.add(part);
  clearTimeout(timer);
  timer = setTimeout(fetchDue, 80);
}

async function fetchDue() {
  const parts = [...due];
  due = new Set();
  for (const part of parts) {
    if (part === "reload") return location.reload();
    try {
      for (const element of elements(await ask(`/incidents/${room.dataset.room}/parts/${part}`))) place(element);
    } catch (error) {
      if (error.status === 401) return offline("You are signed out. Sign in in another tab; your text is kept here.");
    }
  }
}

function heard(kind, { subject, by }) {
  if (kind.startsWith("timeline.")) {
    want(`timeline-entry/${subject}`);
    want("recorder");
    if (kind === "timeline.added" && by !== document.body.dataset.me) say(`New entry by ${by}`);
  }
  for (const part of PARTS[kind] ?? []) want(part);
}

let since;
function offline(text) {
  const line = $("#offline");
  if (!line) return;
  since ??= new Date();
  line.hidden = false;
  line.textContent = text ?? `Offline since ${clock(since)}. Your text is kept; it is sent when the server answers.`;
}

function online() {
  since = undefined;
  const line = $("#offline");
  if (line) line.hidden = true;
  dispatchEvent(new Event("afterload:online"));
}

export function live(within) {
  room = within;
  const list = $("[data-live-list]");
  if (!room?.hasAttribute("data-live") && !list) return;
  const path = room ? `/incidents/${room.dataset.room}/live` : "/live";
  let seq = (room ?? list).dataset.seq, source, hidden, retry = 2000;
  const open = () => {
    source?.close();
    source = new EventSource(`${path}?after=${seq}`);
    source.onopen = () => { retry = 2000; online(); };
    source.onerror = () => {
      offline();
      // The browser comes back by itself unless the answer was an error: then we do.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, (retry = Math.min(retry * 2, 30000)) * (0.5 + Math.random() / 2));
    };
    for (const kind of KINDS) source.addEventListener(kind, (event) => {
      seq = event.lastEventId;
      room ? heard(kind, JSON.parse(event.data)) : dispatchEvent(new CustomEvent("afterload:event", { detail: { kind, ...JSON.parse(event.data) } }));
    });
  };
  open();
  // A hidden tab gives its connection back: browsers allow only a few to one server.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => source.close(), 60000);
    else if (source.readyState === EventSource.CLOSED) open();
  });
  addEventListener("scroll", () => { if (waiting.length && atEnd()) showWaiting(); }, { passive: true });
  $("#newer")?.addEventListener("click", () => {
    const first = waiting[0]?.id;
    showWaiting();
    document.getElementById(first)?.scrollIntoView({ block: "center" });
  });
  // Pages with a list reload their list, at most every second.
  if (list) {
    let soon;
    addEventListener("afterload:event", () => {
      clearTimeout(soon);
      soon = setTimeout(async () => {
        try {
          const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
          for (const old of all("[data-live-list]")) {
            const fresh = page.getElementById(old.id);
            if (fresh && !busy(old)) morph(old, fresh);
          }
          write();
        } catch { /* the stream itself says when we are offline */ }
      }, 300);
    });
  }
}

const KINDS = ["incident.opened", "incident.changed", "incident.deleted", "timeline.added", "timeline.changed", "timeline.deleted",
  "task.changed", "alert.changed", "snapshot.taken", "snapshot.linked", "balancer.changed"];
