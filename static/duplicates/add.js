// "Add anyway" without leaving the page, so that files which still wait are not lost.
"use strict";

document.querySelector("#outcomes").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const line = form.closest(".outcome");
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "HX-Request": "true" }, redirect: "error" });
    const part = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("li.outcome");
    if (!part) throw new Error(answer.status);
    line.replaceWith(part);
    document.querySelector("#announcer").textContent = part.querySelector(".what").textContent;
  } catch {
    button.disabled = false;
    form.querySelector(".muted").textContent = gettext("That did not work. Please try again.");
  }
});
