// What every page has. All scripts are shortcuts: each page works without them. They share what is declared here.
"use strict";

const $ = (selector) => document.querySelector(selector);
const inLine = (text) => text.trim().replace(/\s+/g, " ");
const announce = (text) => { $("#announcer").textContent = inLine(text); };

// Django's catalogue, which pages in other languages load first, has these too; what scripts say is English.
window.gettext ??= (text) => text;
window.ngettext ??= (single, plural, n) => (n === 1 ? single : plural);
window.interpolate ??= (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);

// A text with its named values, numbers as the language writes them.
function fill(text, values) {
  const shown = Object.entries(values).map(([name, value]) => [name, value.toLocaleString(document.documentElement.lang)]);
  return interpolate(text, Object.fromEntries(shown), true);
}

// A menu that is too wide for its window begins at this page's place in it.
const current = $(".menu [aria-current]");
if (current) {
  current.parentElement.scrollLeft = current.offsetLeft - (current.parentElement.clientWidth - current.offsetWidth) / 2;
}

// Keys: "/" to the search field, arrows to the pictures beside this one.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    event.preventDefault();
    $("#find").select();
    $("#find").focus();
  }
  const relation = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const beside = relation && !event.shiftKey && $(`head link[rel=${relation}]`);
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

// Set to work on what a selector finds: in the page, and in every part that is swapped into it.
function enliven(selector, begin) {
  const within = (part) => { for (const each of part.querySelectorAll(selector)) begin(each); };
  within(document);
  document.addEventListener("htmx:load", ({ detail: { elt } }) => {
    if (elt === document.body) return;
    if (elt.matches(selector)) begin(elt);
    within(elt);
  });
}
