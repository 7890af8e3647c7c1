// What every page has. All scripts are shortcuts: each page works without them. They share what is declared here.
"use strict";

const one = (selector) => document.querySelector(selector);
const announce = (text) => { one("#announcer").textContent = text; };

// The page brings the texts in its language, unless that is English: gallery/web/i18n.py has the list.
const { lang, dataset: { texts: brought } } = document.documentElement;
const texts = JSON.parse(brought ?? "{}");
const plurals = new Intl.PluralRules(lang);
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name]?.toLocaleString(lang) ?? whole);
const told = (text, values = {}) => filled(texts[text] ?? text, values);
const counted = (single, plural, n) => filled(texts[plural]?.[plurals.select(n)] ?? (n === 1 ? single : plural), { n });

// A menu that is too wide for its window begins at this page's place in it.
const here = one(".menu [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;

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
