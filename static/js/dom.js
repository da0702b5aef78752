// Small tools that the other modules share.

export const $ = (selector, within = document) => within.querySelector(selector);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Tells screen readers, politely; what comes quickly is said together. */
let said = [];
let timer;
export function say(text) {
  said.push(text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    $("#say").textContent = said.length > 3 ? `${said.length} changes` : said.join(". ");
    said = [];
  }, 600);
}

/** Elements of an answer. Parsed apart from the page: nothing in it runs. */
export const elements = (html) => [...new DOMParser().parseFromString(`<body>${html}`, "text/html").body.children];

/** Asks for a fragment. Throws `Error` with `status` and `html` when the answer is no success. */
export async function ask(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { "x-fragment": "1", ...options.headers } });
  const html = await answer.text();
  if (answer.ok) return html;
  throw Object.assign(new Error(`${answer.status}`), { status: answer.status, html });
}

/** Whether somebody is writing in `element`: it must not be touched then. */
export function busy(element) {
  if ($("form.edit, form.again, dialog[open]", element)) return true;
  return all("textarea, select, input:not([type=hidden])", element).some(
    (field) =>
      field === document.activeElement ||
      (field.type === "checkbox" || field.type === "radio"
        ? field.checked !== field.defaultChecked
        : field.tagName === "SELECT"
          ? [...field.options].some((o) => o.selected !== o.defaultSelected) && [...field.options].some((o) => o.defaultSelected)
          : field.value !== field.defaultValue),
  );
}

/** Lays the fresh element over the old one; open folds and menus stay open, the focus stays where it is. */
export function morph(old, fresh) {
  const open = new Set(all("details[open][id]", old).map((d) => d.id));
  for (const fold of all("details[id]", fresh)) fold.open = open.has(fold.id);
  const menu = $(".menu", fresh);
  if (menu && $(".menu[open]", old)) menu.open = true;
  Idiomorph.morph(old, fresh, { morphStyle: "outerHTML", ignoreActiveValue: true });
}
