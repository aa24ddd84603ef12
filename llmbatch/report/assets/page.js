"use strict";
// The list of rows to look at. Texts go in as text nodes, never as markup.
(() => {
  const cases = JSON.parse(document.getElementById("data").textContent);
  const list = document.getElementById("cases");
  if (!list) return;
  const kind = document.getElementById("kind"), label = document.getElementById("label");
  const find = document.getElementById("find"), shown = document.getElementById("shown");
  const more = document.getElementById("more"), page = 50;
  let limit = page;

  const options = (select, values) => {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
    for (const [value, count] of [...counts].sort((a, b) => b[1] - a[1])) {
      select.append(new Option(`${value} (${count})`, value));
    }
  };
  const element = (name, style, text) => {
    const made = document.createElement(name);
    made.className = style;
    made.textContent = text;
    return made;
  };
  const item = (c) => {
    const made = document.createElement("li"), head = element("div", "head", "");
    head.append(element("span", c.kind === "review" ? "kind review" : "kind", c.kind));
    if (c.label !== null) head.append(element("b", "", c.label));
    if (c.confidence !== null) head.append(element("span", "", `confidence ${c.confidence}`));
    head.append(element("span", "dim", `row ${c.row}, ${c.id}`));
    made.append(head);
    if (c.message) made.append(element("p", "message", c.message));
    made.append(element("p", "text", c.text));
    return made;
  };
  const draw = () => {
    const wanted = find.value.toLowerCase();
    const found = cases.filter((c) =>
      (!kind.value || c.kind === kind.value) && (!label.value || c.label === label.value) &&
      (!wanted || c.id.toLowerCase().includes(wanted) || c.text.toLowerCase().includes(wanted)));
    list.replaceChildren(...found.slice(0, limit).map(item));
    shown.textContent = `${Math.min(limit, found.length)} of ${found.length} rows`;
    more.hidden = found.length <= limit;
  };
  const again = () => { limit = page; draw(); };

  options(kind, cases.map((c) => c.kind));
  options(label, cases.filter((c) => c.label !== null).map((c) => c.label));
  for (const input of [kind, label, find]) input.addEventListener("input", again);
  more.addEventListener("click", () => { limit += page; draw(); });
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  draw();
})();
