// A box on a picture: drawn by mouse or finger, moved by arrow keys, resized by Shift and arrow keys.
// The form beside it gets "x,y,w,h" as its region, in shares of the picture's size.
"use strict";

function boxTool(details) {
  const picture = $(details.dataset.box);
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
  box.setAttribute("aria-label", gettext("Box: the part of the picture to search with"));
  box.setAttribute("aria-describedby", details.querySelector("[id^=keys-]").id);
  const own = new Option(gettext("Drawn box"), "");
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

enliven("details[data-box]", boxTool);
