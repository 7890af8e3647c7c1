// The pictures of a grid one by one over the page; arrows step, Enter opens the picture's page, Escape closes.
"use strict";

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
    dialog.querySelector("a").textContent = gettext("Open");
    button("close", gettext("Close"), "×", () => dialog.close());
    button("before", gettext("Previous picture"), "‹", () => step(-1));
    button("after", gettext("Next picture"), "›", () => step(1));
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
    zoom.setAttribute("aria-label", gettext("View large"));
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

enliven("[data-lightbox]", lightbox);
