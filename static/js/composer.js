// The composer never loses a word: the draft is kept at every key, what is sent waits in a queue in this
// browser until the server said that it is on disk, and a repeat carries the same id.
import { $, all, ask, elements, say } from "./dom.js";
import { clock } from "./time.js";
import { place } from "./timeline.js";

let form, note, kept, begun, slice, files = [];

const read = (key, otherwise) => {
  try { return JSON.parse(localStorage.getItem(key)) ?? otherwise; } catch { return otherwise; }
};
function write(key, value) {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch { trouble("This browser keeps no drafts: its storage is full or switched off."); }
}

const queueKey = () => `${kept}:queue`;
const queue = () => read(queueKey(), []);

function trouble(text) {
  const line = $("#note-err");
  line.textContent = text ?? "";
  line.hidden = !text;
}

const kind = () => form.elements.kind.value;

function keep() {
  const text = note.value;
  if (text && !begun) begun = new Date().toISOString();
  if (!text && !slice && !files.length) begun = undefined;
  $("#composer").classList.toggle("busy", !!text || files.length > 0);
  write(kept, text || slice || files.length ? { text, begun, kind: kind(), slice, files } : undefined);
  understand();
}

let timer, asked;
function understand() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const out = $("#understood");
    if (!note.value.trim()) return out.replaceChildren();
    asked?.abort();
    asked = new AbortController();
    try {
      const body = new URLSearchParams({ text: note.value, kind: kind(), begun: begun ?? "", zone: form.elements.zone.value });
      out.replaceChildren(...elements(await ask(form.action.replace(/entries$/, "composer"), { method: "POST", body, signal: asked.signal })));
    } catch { /* the chips are a courtesy */ }
  }, 150);
}

function attached() {
  const chips = files.map((file) => [file.name, () => { files = files.filter((f) => f !== file); }]);
  if (slice) chips.push([`Chart ${clock(new Date(slice.from))} to ${clock(new Date(slice.to))}`, () => { slice = undefined; }]);
  $("#attached").replaceChildren(...chips.map(([name, remove]) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.textContent = `${name} ✕`;
    chip.setAttribute("aria-label", `Remove ${name}`);
    chip.addEventListener("click", () => { remove(); attached(); keep(); note.focus(); });
    return chip;
  }));
}

async function upload(list) {
  for (const file of list) {
    const body = new FormData();
    body.append("file", file, file.name || "image.png");
    trouble(`Sending ${file.name || "the image"}…`);
    try {
      const { id, name } = JSON.parse(await ask("/attachments", { method: "POST", body }));
      files.push({ id, name });
      trouble();
    } catch (error) {
      trouble(`${file.name || "The image"} was not taken: ${elements(error.html ?? "")[0]?.innerText.trim() || "the server does not answer"}`);
    }
  }
  attached();
  keep();
}

/** Opens the composer at a moment of a chart, with the half hour around it. */
export function at(moment, from, to, pool) {
  if (!form) return;
  begun = moment.toISOString();
  slice = { from: from.toISOString(), to: to.toISOString(), pool };
  attached();
  note.focus();
  keep();
}

export const focus = () => note?.focus();

function enqueue() {
  const text = note.value.trim();
  if (!text && !files.length) return note.focus();
  const id = crypto.randomUUID?.() ?? "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
  const pairs = [["id", id], ["text", note.value || files[0]?.name], ["kind", kind()], ["zone", form.elements.zone.value], ["begun", begun ?? new Date().toISOString()]];
  if (form.elements.pinned.checked) pairs.push(["pinned", "on"]);
  if (slice) pairs.push(["chart_from", slice.from], ["chart_to", slice.to], ["chart_pool", slice.pool ?? ""]);
  for (const file of files) pairs.push(["attachment", file.id]);
  write(queueKey(), [...queue(), { id, pairs }]);
  form.reset();
  note.value = "";
  begun = slice = undefined;
  files = [];
  trouble();
  attached();
  keep();
  flush();
}

let sending = false, again;
async function flush() {
  if (sending) return;
  sending = true;
  clearTimeout(again);
  for (let item; (item = queue().find((i) => !i.refused)); ) {
    show(item.id);
    try {
      const html = await ask(form.action, { method: "POST", body: new URLSearchParams(item.pairs) });
      write(queueKey(), queue().filter((i) => i.id !== item.id));
      for (const element of elements(html)) place(element, true);
      say("Saved");
    } catch (error) {
      const words = elements(error.html ?? "")[0]?.innerText.trim().replace(/\s+/g, " ");
      // What the server will never take is left to the writer; everything else is tried again.
      if ([400, 403, 404, 413, 422].includes(error.status)) write(queueKey(), queue().map((i) => (i.id === item.id ? { ...i, refused: words || "refused" } : i)));
      else {
        show();
        if (error.status === 401) trouble("You are signed out. Sign in in another tab; what you wrote is kept and sent afterwards.");
        again = setTimeout(flush, 4000);
        break;
      }
    }
  }
  sending = false;
  show();
}

function show(now) {
  $("#queue").replaceChildren(...queue().map((item) => {
    const line = document.createElement("li"), what = document.createElement("span"), state = document.createElement("span");
    what.className = "what";
    what.textContent = new URLSearchParams(item.pairs).get("text");
    state.className = "pill warn";
    state.textContent = item.refused ? `not taken: ${item.refused}` : item.id === now ? "sending" : "not sent yet, will retry";
    line.append(state, what);
    if (item.refused) {
      const back = document.createElement("button");
      back.className = "btn tiny";
      back.textContent = "Edit";
      back.addEventListener("click", () => {
        write(queueKey(), queue().filter((i) => i.id !== item.id));
        note.value = [note.value, what.textContent].filter(Boolean).join("\n");
        note.focus();
        keep();
        show();
      });
      line.append(back);
    }
    return line;
  }));
}

export function composer(room) {
  form = $("[data-composer]");
  if (!form) return;
  note = $("#note");
  kept = `draft:${document.body.dataset.me}:${room.dataset.room}`;
  const draft = read(kept);
  if (draft) {
    ({ begun, slice } = draft);
    files = draft.files ?? [];
    note.value ||= draft.text;
    const radio = form.querySelector(`[name=kind][value="${CSS.escape(draft.kind ?? "note")}"]`);
    if (radio) radio.checked = true;
    attached();
    keep();
  }
  note.addEventListener("input", keep);
  form.addEventListener("change", (event) => {
    if (event.target.type === "file") { upload(event.target.files); event.target.value = ""; } else keep();
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); enqueue(); });
  note.addEventListener("keydown", (event) => {
    const touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.isComposing && ((!event.shiftKey && !touch) || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      enqueue();
    }
  });
  note.addEventListener("paste", (event) => {
    const images = [...event.clipboardData.files];
    if (images.length) { event.preventDefault(); upload(images); }
  });
  const box = $("#composer");
  box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("drop"); });
  box.addEventListener("dragleave", () => box.classList.remove("drop"));
  box.addEventListener("drop", (event) => { event.preventDefault(); box.classList.remove("drop"); upload(event.dataTransfer.files); });
  addEventListener("afterload:online", flush);
  addEventListener("online", flush);
  for (const late of all("#queue")) late.hidden = false;
  show();
  flush();
}
