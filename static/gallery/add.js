// Adding many pictures: each is sent by itself, and says what became of it.
"use strict";

function addPage(form) {
  const outcomes = $("#outcomes");
  const button = $("#send");
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
      good && fill(gettext("%(n)s added"), { n: good }), same && fill(gettext("%(n)s already in the gallery"), { n: same }),
      bad && fill(gettext("%(n)s not added"), { n: bad }), left && fill(gettext("%(n)s waiting"), { n: left }),
    ];
    $("#summary").textContent = parts.filter(Boolean).join(", ");
    button.textContent = left ? fill(ngettext("Add %(n)s picture", "Add %(n)s pictures", left), { n: left }) : gettext("Add pictures");
    label.textContent = left ? gettext("Choose more pictures") : gettext("Choose pictures");
    pictures.required = !queue.length;
  }

  function enlist(chosen) {
    for (const file of chosen) {
      const item = row(file, gettext("Waiting"));
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
    again.textContent = gettext("Try again");
    again.addEventListener("click", () => { entry.item.className = "outcome waiting"; queue.push(entry); run(); });
    entry.item.className = "outcome bad";
    const reason = {
      0: gettext("The site cannot be reached."), 200: gettext("You are no longer logged in."),
      403: gettext("You are no longer allowed to add pictures."), 413: gettext("Too large."),
    };
    return entry.item.querySelector(".what").replaceChildren(reason[request.status] ?? gettext("Not added."), " ", again);
  }

  function patience({ item }, request) {
    const seconds = Math.min(Number(request.getResponseHeader("Retry-After")) || 5, 60);
    item.querySelector(".what").textContent = gettext("The site is busy. The upload will continue automatically.");
    return new Promise((resolve) => { setTimeout(resolve, 1000 * seconds); });
  }

  async function run() {
    if (busy) return;
    busy = button.disabled = true;
    while (queue.length) {
      const entry = queue[0];
      const request = await send(entry);
      if (request.status === 429) { await patience(entry, request); continue; }
      queue.shift();
      settle(entry, request);
      summarise();
    }
    busy = button.disabled = false;
    announce($("#summary").textContent);
  }

  pictures.addEventListener("change", () => enlist([...pictures.files]));
  receiveFiles((dropped) => enlist([...dropped]));
  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  addEventListener("beforeunload", (event) => { if (queue.length) event.preventDefault(); });
}

addPage($("#add"));
