// Ctrl+K or Cmd+K: everything that a key does here, found by its words; what else is typed can be searched for.

/** A list of one choice, as the ARIA pattern of a combobox has it. `actions` are `[what, run, key]`. */
export function palette(actions) {
  const dialog = document.createElement("dialog"), field = document.createElement("input"), list = document.createElement("ul");
  dialog.className = "palette";
  dialog.setAttribute("aria-label", "Actions");
  Object.assign(field, { type: "text", placeholder: "What to do, or what to search for", autocomplete: "off", maxLength: 1000 });
  for (const [name, value] of [["role", "combobox"], ["aria-label", "Action"], ["aria-expanded", "true"], ["aria-controls", "palette-list"], ["aria-autocomplete", "list"]])
    field.setAttribute(name, value);
  list.id = "palette-list";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Actions");
  dialog.append(field, list);

  let shown = [], at = 0;
  const choose = (index) => {
    at = index;
    shown.forEach(({ item }, place) => item.setAttribute("aria-selected", place === at));
    field.setAttribute("aria-activedescendant", shown[at]?.item.id ?? "");
    shown[at]?.item.scrollIntoView({ block: "nearest" });
  };
  const run = (index) => {
    const action = shown[index]?.run;
    dialog.close();
    action?.();
  };
  const draw = () => {
    const asked = field.value.trim(), words = asked.toLowerCase().split(/\s+/);
    const fits = actions.filter(([what]) => words.every((word) => what.toLowerCase().includes(word)));
    if (asked) fits.push([`Search for “${asked}”`, () => { location.href = `/search?q=${encodeURIComponent(asked)}`; }, ""]);
    shown = fits.map(([what, run, key], index) => {
      const item = document.createElement("li"), said = document.createElement("span"), kbd = document.createElement("kbd");
      item.id = `palette-${index}`;
      item.setAttribute("role", "option");
      [said.textContent, kbd.textContent] = [what, key];
      item.append(said);
      if (key) item.append(kbd);
      return { item, run };
    });
    list.replaceChildren(...shown.map(({ item }) => item));
    choose(0);
  };
  field.addEventListener("input", draw);
  field.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) choose((at + by + shown.length) % shown.length);
    else if (event.key === "Enter" && !event.isComposing) run(at);
    else return;
    event.preventDefault();
  });
  // The field keeps the focus while somebody points.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const index = shown.findIndex(({ item }) => item.contains(event.target));
    if (index >= 0) run(index);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  draw();
  dialog.showModal();
}
