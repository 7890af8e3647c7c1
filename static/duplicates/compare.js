// The slider of the overlay, and keys; every view is a link of its own.
"use strict";

{
  const share = document.querySelector("#share");
  const over = document.querySelector("#over");
  const show = () => over.style.setProperty("--share", `${share.value}%`);
  share?.addEventListener("input", show);
  if (share) show();

  const press = (key) => document.querySelector(`button[aria-keyshortcuts=${key}]`)?.click();
  function view(by) {
    const links = [...document.querySelectorAll("#views a")];
    const here = links.findIndex((link) => link.hasAttribute("aria-current"));
    location.replace(links[(here + by + links.length) % links.length].href);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea")) return;
    if (event.key === "ArrowLeft") view(-1);
    else if (event.key === "ArrowRight") view(1);
    else if (event.key === "Escape") document.querySelector("#back").click();
    else if (/^[abn]$/.test(event.key)) press(event.key);
  });
}
