// The map: frames are drawn when something has changed, with what can be seen and no more.
"use strict";

const DOTS_BELOW = 5; // device pixels a unit; smaller pictures are dots of their colour
const SPRITES_BELOW = 30; // CSS pixels a unit; so small ones may vanish as their middle leaves the window
const LIT_SIZE = 30; // CSS pixels, at least, of pictures that light up
const [LIT, PICKED] = [1, 2]; // states of a picture

class PictureMap {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".stage-map");
    this.canvas = this.stage.querySelector("canvas");
    this.overlay = this.stage.querySelector(".overlay");
    this.labels = this.stage.querySelector(".labels");
    this.lasso = { on: false, line: null };
    const small = matchMedia("(max-width: 40rem)").matches;
    const layers = small ? 14 : 24;
    this.painter = new Painter(this.canvas, layers);
    this.changed = this.changed.bind(this);
    this.tiles = new Tiles(layers, (...where) => this.painter.load(...where), this.changed);
    this.view = new View(this.stage, this.changed);
    this.lit = [];
    this.picked = [];
    this.pointed = -1;
    this.times = [];
    this.watchContext();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.changed);
  }

  // `about`: one of /api/map/.
  async load(about) {
    const answer = await fetch(about.places_url);
    if (!answer.ok) throw new Error(`${answer.status} ${about.places_url}`);
    this.take(about, new Positions(await answer.arrayBuffer()));
  }

  take(about, positions) {
    const kept = { lit: this.idsOf(this.lit), picked: this.idsOf(this.picked) };
    const first = !this.view.positions || this.about.id !== about.id;
    Object.assign(this, { about, positions });
    this.view.positions = positions;
    this.painter.setPositions(positions);
    this.tiles.show(about.pages, (id, size) => this.root.dataset.pictures.replace("0-256", `${id}-${size}`));
    if (first) Object.assign(this.view, this.view.whole());
    this.showLabels(about.labels);
    this.pointed = -1;
    this.light(kept.lit);
    this.pick(positions.rowsOf(kept.picked));
  }

  idsOf(rows) { return this.positions ? Array.from(rows, (i) => this.positions.ids[i]) : []; }

  light(ids) { this.lit = this.positions.rowsOf(ids); this.markStates(); return this.lit; }

  pick(rows) { this.picked = rows; this.markStates(); }

  markStates() {
    this.states = new Uint8Array(this.positions.count);
    for (const i of this.picked) this.states[i] = PICKED;
    for (const i of this.lit) this.states[i] = LIT;
    this.painter.setStates(this.states);
    this.changed();
  }

  changed() { this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); }); }

  draw() {
    if (!this.positions || !this.view.width) return;
    const begin = performance.now();
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.fitCanvas(ratio);
    this.tiles.begin();
    this.painter.clear();
    this.colours = this.colours ?? this.readColours();
    const dim = this.lit.length ? 0.25 : 1;
    if (this.dotted(ratio)) this.painter.dots({ ...this.view, scale: this.view.scale * ratio }, Math.max(2, this.view.scale * ratio * 0.9), dim);
    else this.drawPictures(ratio, dim);
    this.drawMarked(ratio);
    this.painter.flush();
    this.tiles.work();
    this.drawLine(ratio);
    this.placeLabels();
    this.times.push(performance.now() - begin);
    if (this.times.length > 600) this.times.shift();
    this.root.dispatchEvent(new Event("drawn"));
  }

  fitCanvas(ratio) {
    const [width, height] = [Math.round(this.view.width * ratio), Math.round(this.view.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
  }

  dotted(ratio) { return this.view.scale * ratio < DOTS_BELOW; }

  drawPictures(ratio, dim) {
    const { view } = this;
    const [left, top] = view.toMap(0, 0);
    const [right, bottom] = view.toMap(view.width, view.height);
    const rows = this.positions.within(left, top, right, bottom);
    this.level = this.tiles.levelFor(view.scale * ratio, rows, this.positions);
    this.seen = rows.length;
    for (const i of rows) if (!this.states[i]) this.addPicture(i, view.scale * ratio, this.level, ratio, dim);
    this.painter.flush(view.scale < SPRITES_BELOW);
  }

  // What lights up, is picked or pointed at lies above the others, in a frame, and can always be seen.
  drawMarked(ratio) {
    const side = Math.max(this.view.scale, LIT_SIZE) * ratio;
    const level = [32, 64, 128].find((one) => one >= side) ?? this.level ?? 128;
    const margin = side / this.view.scale / ratio;
    const [left, top] = this.view.toMap(0, 0);
    const [right, bottom] = this.view.toMap(this.view.width, this.view.height);
    const seen = (i) => this.positions.x[i] > left - margin && this.positions.x[i] < right + margin && this.positions.y[i] > top - margin && this.positions.y[i] < bottom + margin;
    const dots = this.dotted(ratio);
    for (const i of this.picked) {
      const size = Math.max(this.view.scale, 6) * ratio;
      if (this.states[i] === PICKED && seen(i)) this.addFramed(i, size, dots ? 16 : this.level, ratio, this.colours.picked);
    }
    for (let at = this.lit.length - 1; at >= 0; at--) if (seen(this.lit[at])) this.addFramed(this.lit[at], side, this.view.scale > LIT_SIZE ? this.level : level, ratio, this.colours.lit);
    for (const i of [this.pointed, this.opened]) if (i >= 0 && i < this.positions.count) this.addFramed(i, Math.max(this.view.scale, LIT_SIZE) * ratio, this.view.scale > LIT_SIZE && !dots ? this.level : level, ratio, this.colours.pointed);
  }

  addFramed(i, side, level, ratio, [red, green, blue]) {
    const frame = Math.min(3, side / ratio / 6) * ratio;
    const [x, y] = this.view.toStage(this.positions.x[i], this.positions.y[i]);
    this.cell ??= new Float32Array(4);
    this.cell[0] = -1;
    this.painter.add(x * ratio, y * ratio, this.positions.wide[i] * side + 2 * frame, this.positions.high[i] * side + 2 * frame, this.cell, red, green, blue, 1);
    this.addPicture(i, side, level, ratio, 1);
  }

  addPicture(i, side, level, ratio, alpha) {
    const { positions, view } = this;
    this.cell ??= new Float32Array(4);
    this.tiles.find(positions.slots[i], positions.ids[i], level, this.cell);
    const x = ((positions.x[i] - view.x) * view.scale + view.width / 2) * ratio;
    const y = ((positions.y[i] - view.y) * view.scale + view.height / 2) * ratio;
    const colour = 4 * i;
    this.painter.add(x, y, positions.wide[i] * side, positions.high[i] * side, this.cell, positions.colours[colour] / 255, positions.colours[colour + 1] / 255, positions.colours[colour + 2] / 255, alpha);
  }

  readColours() {
    const style = getComputedStyle(this.root);
    const rgb = (name) => style.getPropertyValue(name).match(/\w\w/g).map((part) => parseInt(part, 16) / 255);
    return { lit: rgb("--lit"), picked: rgb("--picked"), pointed: rgb("--pointed") };
  }

  drawLine(ratio) {
    const { line } = this.lasso;
    if (!line && !this.lined) return;
    this.lined = Boolean(line);
    Object.assign(this.overlay, { width: this.canvas.width, height: this.canvas.height });
    if (!line) return;
    const pen = this.overlay.getContext("2d");
    pen.scale(ratio, ratio);
    pen.beginPath();
    for (const point of line) pen.lineTo(...this.view.toStage(...point));
    pen.closePath();
    const style = getComputedStyle(this.root);
    Object.assign(pen, { lineWidth: 2.5, lineJoin: "round", strokeStyle: style.getPropertyValue("--picked"), fillStyle: style.getPropertyValue("--veil") });
    pen.fill();
    pen.stroke();
  }

  showLabels(labels) {
    this.named = [...labels].sort((a, b) => a.level - b.level || b.count - a.count).map((label) => {
      const element = document.createElement("span");
      element.textContent = label.text;
      return { ...label, element, width: 0, shown: false };
    });
    this.labels.replaceChildren(...this.named.map(({ element }) => element));
    for (const label of this.named) label.width = label.element.offsetWidth;
  }

  // Names of parts come when one is near; none covers another, and none is cut by the edge.
  placeLabels() {
    const near = this.view.scale > 1.7 * this.view.least;
    const close = this.view.scale > 90;
    const taken = [];
    for (const label of this.named) {
      const [middle, y] = this.view.toStage(label.x, label.y);
      const half = label.width / 2 + 6;
      const x = Math.max(half, Math.min(middle, this.view.width - half));
      const inside = middle > 0 && y > 14 && middle < this.view.width && y < this.view.height - 14;
      const fits = !close && (near || label.level === 0) && inside && !taken.some(([ox, oy, other]) => Math.abs(ox - x) < half + other && Math.abs(oy - y) < 30);
      if (fits) {
        taken.push([x, y, half]);
        label.element.style.transform = `translate(${Math.round(x - label.width / 2)}px, ${Math.round(y - 14)}px)`;
      }
      if (fits !== label.shown) label.element.classList.toggle("on", label.shown = fits);
    }
  }

  watchContext() {
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    // All that was in the graphics memory is gone; the simplest way back is the page itself.
    this.canvas.addEventListener("webglcontextrestored", () => location.reload());
  }
}
