// The viewport: a point of the map and a scale; moved by mouse, fingers, wheel and keys.
"use strict";

const MOST_SCALE = 640; // CSS pixels a unit
const STILL = 6; // CSS pixels that a click may move
const FLIGHT = 400; // milliseconds

class View {
  // `changed()` asks for another frame.
  constructor(stage, changed) {
    Object.assign(this, { stage, changed, x: 0, y: 0, scale: 10, positions: null });
    this.flight = 0;
    new ResizeObserver(() => this.resized()).observe(stage);
  }

  get width() { return this.stage.clientWidth; }
  get height() { return this.stage.clientHeight; }

  // The scale at which the whole map is seen.
  get least() {
    const { width, height } = this.positions;
    return Math.min((this.width - 32) / width, (this.height - 48) / height, 160);
  }

  whole() { return { x: this.positions.left + this.positions.width / 2, y: this.positions.top + this.positions.height / 2, scale: this.least }; }

  resized() {
    if (this.positions && this.scale < this.least) Object.assign(this, this.whole());
    this.changed();
  }

  set({ x, y, scale }) {
    const { left, top, width, height } = this.positions;
    this.scale = this.limited(scale);
    this.x = Math.min(left + width, Math.max(left, x));
    this.y = Math.min(top + height, Math.max(top, y));
    this.changed();
  }

  stop() {
    cancelAnimationFrame(this.flight);
    this.goal = null;
  }

  // Goes there in a moment; at once for those who want no motion.
  fly(to) {
    this.stop();
    const from = { x: this.x, y: this.y, scale: this.scale };
    const goal = { ...from, ...to };
    this.goal = goal;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.set(goal);
    const begin = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - begin) / FLIGHT);
      const eased = 1 - (1 - part) ** 3;
      const scale = from.scale * (goal.scale / from.scale) ** eased;
      // The centre moves with the scale, so that what is flown to does not swerve.
      const moved = goal.scale === from.scale ? eased : (1 / from.scale - 1 / scale) / (1 / from.scale - 1 / goal.scale);
      this.set({ x: from.x + (goal.x - from.x) * moved, y: from.y + (goal.y - from.y) * moved, scale });
      if (part < 1) this.flight = requestAnimationFrame(step);
      else this.goal = null;
    };
    this.flight = requestAnimationFrame(step);
  }

  // So that a rectangle of the map fills the stage.
  fit(left, top, right, bottom) {
    const scale = Math.min(this.width / (right - left + 2), this.height / (bottom - top + 2), 120);
    this.fly({ x: (left + right) / 2, y: (top + bottom) / 2, scale: Math.max(scale, this.least) });
  }

  // CSS pixels from the stage's corner <-> units.
  toMap(px, py) { return [this.x + (px - this.width / 2) / this.scale, this.y + (py - this.height / 2) / this.scale]; }
  toStage(x, y) { return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2]; }

  pan(dx, dy) { this.set({ x: this.x - dx / this.scale, y: this.y - dy / this.scale, scale: this.scale }); }

  limited(scale) { return Math.min(MOST_SCALE, Math.max(this.least * 0.7, scale)); }

  // The middle stays; several in a row add up.
  step(factor) {
    const { x, y, scale } = this.goal ?? this;
    this.fly({ x, y, scale: this.limited(scale * factor) });
  }

  // What is under a point of the stage stays there.
  zoom(factor, px, py, flying = false) {
    const scale = this.limited(this.scale * factor);
    const [x, y] = this.toMap(px, py);
    const goal = { x: x - (px - this.width / 2) / scale, y: y - (py - this.height / 2) / scale, scale };
    if (flying) this.fly(goal);
    else this.set(goal);
  }
}

// Pointers on the stage. `lasso.on` says whether one pointer draws a line; `lasso.line` is that line, in units.
class Hand {
  constructor(view, lasso, { click, hover, drawn }) {
    Object.assign(this, { view, lasso, click, drawn, pointers: new Map(), path: 0, clicked: 0 });
    const { stage } = view;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => { this.move(event); hover(event.pointerType === "mouse" && !this.pointers.size ? this.at(event) : null); });
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.up(event));
    stage.addEventListener("pointerleave", () => hover(null));
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => {
      clearTimeout(this.clicked);
      if (!this.lasso.on) view.zoom(event.shiftKey ? 0.5 : 2, ...this.at(event), true);
    });
  }

  at(event) {
    const corner = this.view.stage.getBoundingClientRect();
    return [event.clientX - corner.left, event.clientY - corner.top];
  }

  down(event) {
    if (event.button > 0) return;
    this.view.stop();
    this.view.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    if (this.pointers.size === 1) {
      this.path = 0;
      this.lasso.line = this.lasso.on || event.shiftKey ? [this.view.toMap(...this.at(event))] : null;
    } else {
      this.lasso.line = null; // two fingers move the map
      this.path = Infinity;
    }
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const old = [...this.pointers.values()];
    this.pointers.set(event.pointerId, now);
    this.path += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (this.pointers.size === 2) this.pinch(old, [...this.pointers.values()]);
    else if (this.lasso.line) {
      this.lasso.line.push(this.view.toMap(...now));
      this.view.changed();
    } else if (this.pointers.size === 1) this.view.pan(now[0] - before[0], now[1] - before[1]);
  }

  pinch(old, now) {
    const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
    const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const [from, to] = [middle(old), middle(now)];
    this.view.pan(to[0] - from[0], to[1] - from[1]);
    this.view.zoom(apart(now) / apart(old), ...to);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { line } = this.lasso;
    this.lasso.line = null;
    if (event.type === "pointercancel") return this.view.changed();
    if (line && this.path >= STILL) this.drawn(line, event);
    else if (this.path < STILL) {
      clearTimeout(this.clicked);
      const at = this.at(event);
      // A second click soon after makes it a double one, which zooms.
      this.clicked = setTimeout(() => this.click(at), event.pointerType === "mouse" ? 200 : 280);
    }
    this.view.changed();
  }

  wheel(event) {
    event.preventDefault();
    this.view.stop();
    const lines = event.deltaMode === 1 ? 24 : 1;
    const step = Math.max(-240, Math.min(240, event.deltaY * lines));
    this.view.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.002)), ...this.at(event));
  }
}
