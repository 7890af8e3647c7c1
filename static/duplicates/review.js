// The review of duplicates by keyboard. Every key presses a button or follows a link that works without this.
"use strict";

{
  const message = document.querySelector("#review-message");
  const list = document.querySelector("#groups");
  const help = document.querySelector("#help");
  const undone = []; // lines of what was decided on this page, the last one last

  const groups = () => [...document.querySelectorAll("#groups > .group")];
  const open = () => groups().filter((group) => !group.classList.contains("decided"));
  const current = () => document.querySelector("#groups > .group.current");
  const radios = (group) => [...group.querySelectorAll("input[type=radio]")];
  const chosen = (group) => group.querySelector("input[type=radio]:checked");
  const tell = (text) => { message.textContent = text; };

  // What stays and what goes depends on what is chosen: only what is the same as that goes.
  function mark(group) {
    const kept = chosen(group);
    if (!kept) return;
    const same = new Set(kept.dataset.same.split(" "));
    for (const radio of radios(group)) {
      const card = radio.closest(".card");
      card.classList.toggle("stay", radio !== kept && !same.has(radio.value));
    }
  }

  function select(group, focus = true) {
    for (const each of groups()) each.classList.toggle("current", each === group);
    if (!group) return;
    if (focus) {
      (chosen(group) ?? group.querySelector("button"))?.focus({ preventScroll: true });
      group.scrollIntoView({ block: "nearest" });
    }
  }

  function step(by) {
    const all = open();
    const here = all.indexOf(current());
    const next = all[here < 0 ? 0 : Math.min(Math.max(here + by, 0), all.length - 1)];
    if (by > 0 && here === all.length - 1) return document.querySelector(".next-page a")?.focus();
    select(next);
  }

  function choose(by) {
    const group = current() ?? open()[0];
    if (!group) return;
    const all = radios(group);
    const next = all[(all.indexOf(chosen(group)) + by + all.length) % all.length];
    next.checked = true;
    select(group);
    mark(group);
  }

  async function send(form, button) {
    const data = new FormData(form, button);
    const answer = await fetch(button?.getAttribute("formaction") ?? form.action, {
      method: "POST", body: data, headers: { "HX-Request": "true" }, redirect: "error",
    });
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    const news = part.querySelector("[data-announce]");
    return { ok: answer.ok, part, text: news ? inLine(news.textContent) : gettext("That did not work. Reload the page.") };
  }

  async function decide(form, button) {
    const group = form.closest(".group");
    if (group.classList.contains("busy")) return;
    group.classList.add("busy");
    tell("");
    try {
      const { ok, part, text } = await send(form, button);
      if (!ok) return tell(text);
      const line = part.querySelector(".group");
      line.dataset.group = group.dataset.group;
      const all = open();
      const next = all[all.indexOf(group) + 1] ?? all[all.indexOf(group) - 1];
      line.before_ = group;
      group.replaceWith(line);
      undone.push(line);
      document.querySelector("#last").replaceChildren();
      document.querySelector("#announcer").textContent = text;
      if (next) select(next);
      else (document.querySelector(".next-page a") ?? line.querySelector("button")).focus();
    } catch {
      tell(gettext("The site cannot be reached. Nothing has been changed; try again."));
    } finally {
      group.classList.remove("busy");
    }
  }

  // The group as it was comes back where it was; what else it holds now is seen when the page is loaded again.
  async function undo(line, form) {
    try {
      const { ok, text } = await send(form);
      if (!ok) return tell(text);
      const group = line.before_;
      line.replaceWith(group);
      undone.splice(undone.indexOf(line), 1);
      document.querySelector("#announcer").textContent = text;
      select(group);
    } catch {
      tell(gettext("The site cannot be reached. Nothing has been changed; try again."));
    }
  }

  function undoLast() {
    const line = undone.at(-1);
    if (line) return undo(line, line.querySelector("form"));
    document.querySelector("#last form")?.requestSubmit();
  }

  function compare(group) {
    const suggested = radios(group)[0];
    const kept = chosen(group);
    const card = (kept === suggested ? radios(group)[1] : kept).closest(".card");
    location.assign(card.querySelector(".compare").href);
  }

  const press = (what) => (current() ?? open()[0])?.querySelector(`[data-do=${what}]`)?.click();
  const keys = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowRight: () => choose(1), ArrowLeft: () => choose(-1),
    k: () => press("keep"), n: () => press("apart"), s: () => press("skip"), u: undoLast,
    c: () => { const group = current() ?? open()[0]; if (group) compare(group); },
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input:not([type=radio]), textarea, select")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  list?.addEventListener("submit", (event) => {
    event.preventDefault();
    const line = event.target.closest(".decided");
    if (line) undo(line, event.target);
    else decide(event.target, event.submitter);
  });
  list?.addEventListener("click", (event) => {
    const group = event.target.closest(".group:not(.decided)");
    if (!group) return;
    select(group, false);
    if (event.target.closest("[data-do=skip]")) step(1);
  });
  list?.addEventListener("focusin", (event) => {
    const group = event.target.closest(".group:not(.decided)");
    if (group) select(group, false);
  });
  list?.addEventListener("change", (event) => mark(event.target.closest(".group")));
  document.querySelector("#keys").addEventListener("click", () => help.showModal());

  groups().forEach(mark);
  const asked = location.hash.startsWith("#group-") && document.querySelector(location.hash);
  if (asked || open()[0]) select(asked || open()[0], Boolean(asked));
}
