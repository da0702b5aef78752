// One stream a page: it says what changed, and the changed parts are fetched and laid over the old ones.
import { $, all, ask, busy, elements, morph } from "./dom.js";
import { clock, write } from "./time.js";
import { expect, lost, place, readElsewhere } from "./timeline.js";

const PARTS = {
  "incident.changed": ["header", "side"],
  "incident.deleted": ["reload"],
  "working.changed": ["people"],
  presence: ["people"],
  "task.changed": ["side"],
  "alert.changed": ["side"],
  "snapshot.linked": ["side", "recorder"],
  "snapshot.taken": [],
};
// The next one waits for an answer; so long at most, in ms.
const PATIENCE = 30000;
let room, due = new Set(), retry;

/**
 * Makes a function that has `work` done within `wait` ms of its call, however often it is called. One runs at a time, so
 * that nothing old is laid over something new; what is called for meanwhile is done after it.
 */
function gather(work, wait) {
  let timer, running = false, again = false;
  return function call() {
    if (running) again = true;
    else timer ??= setTimeout(async () => {
      running = true;
      await work();
      timer = undefined;
      running = false;
      if (again) call();
      again = false;
    }, wait);
  };
}

const soon = gather(fetchDue, 80);

function want(part) {
  due.add(part);
  soon();
}

async function fetchDue() {
  const parts = [...due];
  due = new Set();
  for (const part of parts) {
    if (part === "reload") return location.reload();
    try {
      for (const element of elements(await ask(`/incidents/${room.dataset.room}/parts/${part}`, { signal: AbortSignal.timeout(PATIENCE) }))) place(element);
    } catch (error) {
      if (error.status === 401) offline(true);
      if (error.status === 404 && part.startsWith(ENTRY)) lost(part.slice(ENTRY.length));
      // A server that is away or busy is asked again: the event was heard and will not come twice.
      else if (!error.status || error.status === 401 || error.status >= 500) {
        due.add(part);
        clearTimeout(retry);
        // Who signed out is asked for when the stream is back.
        if (error.status !== 401) retry = setTimeout(soon, 3000);
      }
    }
  }
}

const ENTRY = "timeline-entry/";

function heard(kind, { subject, by, seq: read }, seq) {
  if (kind === "read") return readElsewhere(read);
  if (kind.startsWith("timeline.")) {
    if (kind === "timeline.added") expect(subject, seq, by);
    want(`${ENTRY}${subject}`);
    want("recorder");
  }
  for (const part of PARTS[kind] ?? []) want(part);
}

let since, signedOut = false;
/** Says that nothing comes any more, and why: once one is known to be signed out, that is the reason. */
function offline(out = signedOut) {
  const line = $("#offline");
  if (!line) return;
  since ??= new Date();
  signedOut = out;
  line.hidden = false;
  line.textContent = out
    ? "You are signed out. Sign in in another tab; your text is kept here."
    : `Offline since ${clock(since)}. Your text is kept; it is sent when the server answers.`;
}

function online() {
  since = undefined;
  signedOut = false;
  const line = $("#offline");
  if (line) line.hidden = true;
  dispatchEvent(new Event("afterload:online"));
}

export function live(within) {
  room = within;
  const list = $("[data-live-list]");
  if (!room?.hasAttribute("data-live") && !list) return;
  const path = room ? `/incidents/${room.dataset.room}/live` : "/live";
  let seq = (room ?? list).dataset.seq, source, hidden, pause = 2000;
  const open = () => {
    source?.close();
    source = new EventSource(`${path}?after=${seq}`);
    source.onopen = () => {
      pause = 2000;
      online();
      if (room) want("people");
    };
    source.onerror = () => {
      offline();
      // The browser comes back by itself unless the answer was an error: then we do, and any part tells which it was.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(open, (pause = Math.min(pause * 2, 30000)) * (0.5 + Math.random() / 2));
      if (room) want("people");
      else ask(location.href).catch((error) => error.status === 401 && offline(true));
    };
    for (const kind of KINDS) source.addEventListener(kind, (event) => {
      seq = event.lastEventId || seq;
      room ? heard(kind, JSON.parse(event.data), Number(seq)) : dispatchEvent(new CustomEvent("afterload:event", { detail: { kind, ...JSON.parse(event.data) } }));
    });
  };
  open();
  // A hidden tab gives its connection back: browsers allow only a few to one server.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => source.close(), 60000);
    else if (source.readyState === EventSource.CLOSED) open();
  });
  // Pages with a list reload their list, at most every second.
  if (list) addEventListener("afterload:event", gather(async () => {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE) })).text(), "text/html");
      for (const old of all("[data-live-list]")) {
        const fresh = page.getElementById(old.id);
        if (fresh && !busy(old)) morph(old, fresh);
      }
      write();
    } catch { /* the stream itself says when we are offline */ }
  }, 1000));
}

const KINDS = ["incident.opened", "incident.changed", "incident.deleted", "timeline.added", "timeline.changed", "timeline.deleted",
  "presence", "read", "working.changed", "task.changed", "alert.changed", "snapshot.taken", "snapshot.linked", "balancer.changed"];
