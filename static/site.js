// Everything here is a shortcut: each page works without it.
"use strict";

const one = (selector) => document.querySelector(selector);
const announce = (text) => { one("#announcer").textContent = text; };

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

function searchPage(form) {
  const { file, url } = form.elements;
  const preview = one("#preview");
  const label = form.querySelector(".drop strong");
  const empty = label.textContent;

  function show() {
    URL.revokeObjectURL(preview.src);
    const [chosen] = file.files;
    preview.hidden = !chosen;
    if (chosen) preview.src = URL.createObjectURL(chosen);
    else preview.removeAttribute("src");
    label.textContent = chosen ? "Choose another picture" : empty;
  }
  // Some types that the server reads are none that browsers show.
  preview.addEventListener("error", () => { preview.hidden = true; label.textContent = file.files[0]?.name ?? empty; });

  function take(files) {
    file.files = listOf([files[0]]);
    url.value = "";
    show();
    form.requestSubmit();
  }
  file.addEventListener("change", () => file.files.length ? take(file.files) : show());
  url.addEventListener("input", () => { file.value = ""; show(); });
  for (const way of form.elements.method) {
    way.addEventListener("change", () => { if (file.value || url.value) form.requestSubmit(); });
  }
  receiveFiles(take, (address) => { file.value = ""; show(); url.value = address; form.requestSubmit(); });

  form.addEventListener("htmx:beforeRequest", () => announce("Searching…"));
  form.addEventListener("htmx:afterRequest", (event) => {
    for (const field of [file, url]) {
      field.setAttribute("aria-invalid", String(Boolean(one(`#error-${field.name}`).textContent.trim())));
    }
    const { xhr } = event.detail;
    if (xhr.status === 0 || xhr.status >= 401) fail(xhr.status);
    else if (xhr.status < 300 && matchMedia("(max-width: 60rem)").matches) one(".found").scrollIntoView();
  });
  function fail(status) {
    const reason = status === 413 ? "The picture is too large." : status ? "The search failed." : "The site cannot be reached.";
    one("#error-other").textContent = `${reason} Please try again.`;
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
    const parts = [[count("good"), "added"], [count("same"), "already here"], [count("bad"), "not added"], [queue.length, "waiting"]];
    one("#summary").textContent = parts.filter(([number]) => number).map(([number, what]) => `${number} ${what}`).join(", ");
    button.textContent = queue.length > 1 ? `Add ${queue.length} pictures` : "Add pictures";
    label.textContent = queue.length ? "Choose more pictures" : "Choose pictures";
    pictures.required = !queue.length;
  }

  function enlist(chosen) {
    for (const file of chosen) {
      const item = row(file, "Waiting");
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
    again.textContent = "Try again";
    again.addEventListener("click", () => { entry.item.className = "outcome waiting"; queue.push(entry); run(); });
    entry.item.className = "outcome bad";
    const reason = { 0: "The site cannot be reached. ", 200: "You are no longer logged in. ", 403: "You may not add pictures any more. ", 413: "Too large. " };
    return entry.item.querySelector(".what").replaceChildren(reason[request.status] ?? "Not added. ", again);
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

if (one("#search-form")) searchPage(one("#search-form"));
if (one("#add")) addPage(one("#add"));
