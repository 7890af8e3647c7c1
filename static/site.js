// Everything here is a shortcut: each page works without it.
"use strict";

const one = (selector) => document.querySelector(selector);
const announce = (text) => { one("#announcer").textContent = text; };

// The page brings the texts in its language, unless that is English: imagesite/texts.py has the list.
const { lang, dataset: { texts: brought } } = document.documentElement;
const texts = JSON.parse(brought ?? "{}");
const plurals = new Intl.PluralRules(lang);
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name]?.toLocaleString(lang) ?? whole);
const told = (text, values = {}) => filled(texts[text] ?? text, values);
const counted = (single, plural, n) => filled(texts[plural]?.[plurals.select(n)] ?? (n === 1 ? single : plural), { n });

// Keys: "/" to the search field, arrows to the pictures beside this one.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    event.preventDefault();
    one("#find").select();
    one("#find").focus();
  }
  const relation = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const beside = relation && !event.shiftKey && one(`head link[rel=${relation}]`);
  if (beside) location.assign(beside.href);
});

// Screen readers hear what a swap brought.
document.addEventListener("htmx:afterSettle", (event) => {
  const news = event.target.querySelector?.("[data-announce]");
  if (news) announce(news.textContent);
});

// When the next pictures cannot be had by themselves, there is still the link.
for (const trouble of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(trouble, (event) => event.target.closest(".next")?.classList.add("failed"));
}

// Files that are dropped or pasted anywhere on the page, or an address of one.
function receiveFiles(onFiles, onAddress) {
  let depth = 0;
  const drag = (step) => (event) => {
    event.preventDefault();
    depth = Math.max(0, depth + step);
    document.body.classList.toggle("dragging", depth > 0);
  };
  document.addEventListener("dragenter", drag(1));
  document.addEventListener("dragleave", drag(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    drag(-depth)(event);
    receive(event.dataTransfer, event.dataTransfer.getData("text/uri-list").split("\n")[0]);
  });
  document.addEventListener("paste", (event) => {
    const typing = event.target.closest?.("input:not([type=file]), textarea");
    if (typing && !event.clipboardData.files.length) return;
    receive(event.clipboardData, event.clipboardData.getData("text").trim());
  });
  function receive(data, text) {
    if (data.files.length) onFiles(data.files);
    else if (/^https?:\/\/\S+$/i.test(text)) onAddress?.(text);
  }
}

function listOf(files) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  return transfer.files;
}

// A box on a picture: drawn by mouse or finger, moved by arrow keys, resized by Shift and arrow keys.
// The form beside it gets "x,y,w,h" as its region, in shares of the picture's size.
function boxTool(details) {
  const picture = one(details.dataset.box);
  const form = details.querySelector("form");
  const region = form?.elements.region;
  const frame = picture?.closest("[data-boxed]");
  if (!region || !frame) return;
  frame.querySelector(".box-layer")?.remove();
  const layer = frame.appendChild(document.createElement("div"));
  const box = layer.appendChild(document.createElement("div"));
  layer.className = "box-layer";
  box.className = "box";
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", told("Box: the part of the picture to search by"));
  box.setAttribute("aria-describedby", details.querySelector("[id^=keys-]").id);
  const own = new Option(told("The box that is drawn"), "");
  let [x, y, w, h] = region.value.split(",").map(Number);
  let start = null;

  function draw() {
    box.style.left = `${100 * x}%`;
    box.style.top = `${100 * y}%`;
    box.style.width = `${100 * w}%`;
    box.style.height = `${100 * h}%`;
    own.value = [x, y, w, h].map((share) => Number(share.toFixed(4))).join(",");
    own.selected = true;
  }
  function toggle() {
    layer.hidden = !details.open;
    if (!details.open) return;
    region.prepend(own);
    draw();
  }
  region.addEventListener("change", () => { [x, y, w, h] = region.value.split(",").map(Number); draw(); });
  const within = (share, most = 1) => Math.min(Math.max(share, 0), most);
  function at(event) {
    const { left, top, width, height } = layer.getBoundingClientRect();
    return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
  }
  layer.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    start = { at: at(event), before: [x, y, w, h], moves: event.target === box };
    box.focus({ preventScroll: true });
  });
  layer.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [[fromX, fromY], [toX, toY]] = [start.at, at(event)];
    if (start.moves) {
      x = within(start.before[0] + toX - fromX, 1 - w);
      y = within(start.before[1] + toY - fromY, 1 - h);
    } else {
      [x, w] = [Math.min(fromX, toX), Math.abs(toX - fromX)];
      [y, h] = [Math.min(fromY, toY), Math.abs(toY - fromY)];
    }
    draw();
  });
  layer.addEventListener("pointercancel", () => { if (start) [x, y, w, h] = start.before; start = null; draw(); });
  layer.addEventListener("pointerup", () => {
    if (!start) return;
    const same = [x, y, w, h].every((share, i) => share === start.before[i]);
    if (w < 0.02 || h < 0.02) [x, y, w, h] = start.before;
    else if (!same) form.requestSubmit();
    start = null;
    draw();
  });
  box.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const step = event.altKey ? 0.005 : 0.02;
    if (event.key === "Enter") form.requestSubmit();
    else if (event.key === "Escape") { details.open = false; details.querySelector("summary").focus(); }
    else if (!dx && !dy) return;
    else if (event.shiftKey) [w, h] = [Math.max(0.04, within(w + dx * step, 1 - x)), Math.max(0.04, within(h + dy * step, 1 - y))];
    else [x, y] = [within(x + dx * step, 1 - w), within(y + dy * step, 1 - h)];
    event.preventDefault();
    event.stopPropagation();
    draw();
  });
  details.addEventListener("toggle", () => {
    toggle();
    if (!details.open) return;
    frame.scrollIntoView({ block: "nearest" });
    box.focus({ preventScroll: true });
  });
  toggle();
}

function searchPage(form) {
  const { file, url } = form.elements;
  const preview = form.querySelector("#preview");
  const label = form.querySelector(".drop strong");
  const empty = label.textContent;

  function show() {
    URL.revokeObjectURL(preview.src);
    const [chosen] = file.files;
    preview.hidden = !chosen;
    if (chosen) preview.src = URL.createObjectURL(chosen);
    else preview.removeAttribute("src");
    label.textContent = chosen ? told("Choose another picture") : empty;
  }
  // Some types that the server reads are none that browsers show.
  preview.addEventListener("error", () => { preview.hidden = true; label.textContent = file.files[0]?.name ?? empty; });

  form.take = (files) => {
    file.files = listOf([files[0]]);
    url.value = "";
    show();
    form.requestSubmit();
  };
  form.fetch = (address) => { file.value = ""; show(); url.value = address; form.requestSubmit(); };
  file.addEventListener("change", () => file.files.length ? form.take(file.files) : show());
  url.addEventListener("input", () => { file.value = ""; show(); });
  for (const way of form.elements.method) {
    way.addEventListener("change", () => { if (file.value || url.value) form.requestSubmit(); });
  }
  for (const field of form.querySelectorAll("[aria-describedby]")) {
    const wrong = one(`#error-${field.name}`)?.textContent.trim();
    if (wrong) field.setAttribute("aria-invalid", "true");
  }
  form.addEventListener("htmx:beforeRequest", () => announce(told("Searching…")));
  form.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
    if (xhr.status === 0 || xhr.status >= 401) fail(xhr.status);
    else if (xhr.status < 300 && matchMedia("(max-width: 60rem)").matches) setTimeout(() => one(".found").scrollIntoView());
  });
  function fail(status) {
    const failed = status ? told("The search failed. Please try again.") : told("The site cannot be reached. Please try again.");
    one("#error-other").textContent = status === 413 ? told("The picture is too large. Please try again.") : failed;
    announce(one("#error-other").textContent);
  }
  show();
}

function addPage(form) {
  const outcomes = one("#outcomes");
  const button = one("#send");
  const { pictures } = form.elements;
  const label = form.querySelector(".drop strong");
  let queue = [];
  let busy = false;

  const row = (file, text) => {
    const item = document.createElement("li");
    item.className = "outcome waiting";
    const name = item.appendChild(document.createElement("span"));
    const what = item.appendChild(document.createElement("span"));
    name.className = "file";
    what.className = "what";
    name.textContent = file.name;
    what.textContent = text;
    return item;
  };
  const count = (kind) => outcomes.querySelectorAll(`.${kind}`).length;

  function summarise() {
    const [good, same, bad, left] = [count("good"), count("same"), count("bad"), queue.length];
    const parts = [
      good && told("{n} added", { n: good }), same && told("{n} already here", { n: same }),
      bad && told("{n} not added", { n: bad }), left && told("{n} waiting", { n: left }),
    ];
    one("#summary").textContent = parts.filter(Boolean).join(", ");
    button.textContent = left > 1 ? counted("Add {n} picture", "Add {n} pictures", left) : told("Add pictures");
    label.textContent = left ? told("Choose more pictures") : told("Choose pictures");
    pictures.required = !queue.length;
  }

  function enlist(chosen) {
    for (const file of chosen) {
      const item = row(file, told("Waiting"));
      outcomes.append(item);
      queue.push({ file, item });
    }
    pictures.value = "";
    summarise();
  }

  function send({ file, item }) {
    const data = new FormData(form);
    data.set("pictures", file);
    const bar = document.createElement("progress");
    item.querySelector(".what").replaceChildren(bar);
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded, total }) => { if (loaded < total) bar.value = loaded / total; else bar.removeAttribute("value"); });
    return new Promise((resolve) => {
      request.addEventListener("loadend", () => resolve(request));
      request.open("POST", form.action);
      request.setRequestHeader("HX-Request", "true");
      request.send(data);
    });
  }

  function settle(entry, request) {
    if (request.status === 200 || request.status === 400) {
      const part = new DOMParser().parseFromString(request.responseText, "text/html").querySelector("li.outcome");
      if (part) return entry.item.replaceWith(part);
    }
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = told("Try again");
    again.addEventListener("click", () => { entry.item.className = "outcome waiting"; queue.push(entry); run(); });
    entry.item.className = "outcome bad";
    const reason = {
      0: told("The site cannot be reached."), 200: told("You are no longer logged in."),
      403: told("You may not add pictures any more."), 413: told("Too large."),
    };
    return entry.item.querySelector(".what").replaceChildren(reason[request.status] ?? told("Not added."), " ", again);
  }

  async function run() {
    if (busy) return;
    busy = button.disabled = true;
    while (queue.length) {
      const entry = queue[0];
      const request = await send(entry);
      queue.shift();
      settle(entry, request);
      summarise();
    }
    busy = button.disabled = false;
    announce(one("#summary").textContent);
  }

  pictures.addEventListener("change", () => enlist([...pictures.files]));
  receiveFiles((dropped) => enlist([...dropped]));
  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  addEventListener("beforeunload", (event) => { if (queue.length) event.preventDefault(); });
}

// Pictures that are selected: how many, ranges by Shift, and a click anywhere on a picture.
function selectionPage(form) {
  const boxes = () => [...form.querySelectorAll("input[name=ids]")];
  const count = form.querySelector(".count");
  let last = null;
  function tell() {
    const chosen = boxes().filter((box) => box.checked).length;
    count.textContent = chosen ? told("{n} selected", { n: chosen }) : told("None selected");
  }
  form.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    const box = tile?.querySelector("input[name=ids]");
    if (!box) return;
    if (event.target.closest("a.frame")) {
      event.preventDefault();
      box.checked = !box.checked;
    } else if (event.target !== box) return;
    const all = boxes();
    const [from, to] = [all.indexOf(last ?? box), all.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey) for (const each of all.slice(from, to + 1)) each.checked = box.checked;
    last = box;
    tell();
  });
  tell();
}

// The pictures of a grid one by one over the page; arrows step, Enter opens the picture's page, Escape closes.
function lightbox(grid) {
  let dialog = null;
  let shown = null;
  const frames = () => [...grid.querySelectorAll(".tile a.frame")];
  const button = (name, label, text, act) => {
    const made = dialog.appendChild(document.createElement("button"));
    made.className = name;
    made.setAttribute("aria-label", label);
    made.textContent = text;
    made.addEventListener("click", act);
  };
  function step(by) {
    const all = frames();
    const next = all[all.indexOf(shown) + by];
    if (next) show(next);
    if (all.indexOf(shown) > all.length - 4) grid.querySelector(".next")?.dispatchEvent(new Event("intersect"));
  }
  function build() {
    dialog = document.body.appendChild(document.createElement("dialog"));
    dialog.className = "lightbox";
    dialog.append(document.createElement("img"), document.createElement("p"));
    dialog.querySelector("p").append(document.createElement("span"), document.createElement("a"));
    dialog.querySelector("a").textContent = told("Open");
    button("close", told("Close"), "×", () => dialog.close());
    button("before", told("Picture before"), "‹", () => step(-1));
    button("after", told("Picture after"), "›", () => step(1));
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) { event.preventDefault(); event.stopPropagation(); step(by); }
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => shown?.focus());
  }
  function show(frame) {
    if (!dialog) build();
    shown = frame;
    const small = frame.querySelector("img");
    const large = dialog.querySelector("img");
    large.removeAttribute("srcset");
    large.src = small.currentSrc || small.src;
    large.sizes = "100vw";
    if (small.srcset) large.srcset = small.srcset;
    large.alt = small.alt;
    dialog.setAttribute("aria-label", small.alt);
    dialog.querySelector("span").textContent = small.alt;
    dialog.querySelector("a").href = frame.href;
    if (!dialog.open) dialog.showModal();
  }
  grid.addEventListener("pointerover", ({ target }) => {
    const tile = target.closest(".tile");
    if (!tile || tile.querySelector(".zoom, .pick")) return;
    const zoom = tile.appendChild(document.createElement("button"));
    zoom.type = "button";
    zoom.className = "zoom";
    zoom.tabIndex = -1; // by keyboard it is the key "v"
    zoom.setAttribute("aria-label", told("View large"));
    zoom.textContent = "⤢";
    zoom.addEventListener("click", () => show(tile.querySelector("a.frame")));
  });
  grid.addEventListener("keydown", (event) => {
    const frame = event.target.closest("a.frame");
    if (event.key !== "v" || event.ctrlKey || event.metaKey || event.altKey || !frame) return;
    event.preventDefault();
    show(frame);
  });
}

// For the page, and for every part that is swapped into it.
function enliven(part) {
  const all = (selector) => [...part.querySelectorAll(selector), ...(part.matches?.(selector) ? [part] : [])];
  all("#search-form").forEach(searchPage);
  all("details[data-box]").forEach(boxTool);
  all("#selection").forEach(selectionPage);
  all("[data-lightbox]").forEach(lightbox);
}
enliven(document);
document.addEventListener("htmx:load", ({ detail: { elt } }) => { if (elt !== document.body) enliven(elt); });
if (one("#search-form")) {
  receiveFiles((files) => one("#search-form").take(files), (address) => one("#search-form").fetch(address));
}
if (one("#add")) addPage(one("#add"));
