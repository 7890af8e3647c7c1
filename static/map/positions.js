// The pictures of a map: what the site sends of them (search/map/codec.py), and which are where.
"use strict";

const GRID = 4; // units, side of a cell of the index; a unit is the width of a picture

class Positions {
  constructor(buffer) {
    const head = new DataView(buffer);
    const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
    if (magic !== "MAP1") throw new Error(`This is no map but ${magic}.`);
    const count = head.getUint32(4, true);
    const [left, top, width, height] = [8, 12, 16, 20].map((at) => head.getFloat32(at, true));
    Object.assign(this, { count, left, top, width, height });
    let at = 24;
    const column = (Type, bytes) => { at += bytes * count; return new Type(buffer, at - bytes * count, count); };
    this.ids = column(Uint32Array, 4);
    this.slots = column(Uint32Array, 4);
    this.qx = column(Uint16Array, 2);
    this.qy = column(Uint16Array, 2);
    const [red, green, blue, ratio] = [0, 0, 0, 0].map(() => column(Uint8Array, 1));
    this.colours = new Uint8Array(4 * count);
    this.wide = new Float32Array(count);
    this.high = new Float32Array(count);
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      this.colours.set([red[i], green[i], blue[i], 255], 4 * i);
      const shape = 2 ** ((ratio[i] - 128) / 32);
      this.wide[i] = 0.96 * Math.min(1, shape);
      this.high[i] = 0.96 * Math.min(1, 1 / shape);
      this.x[i] = left + this.qx[i] / 65535 * width;
      this.y[i] = top + this.qy[i] / 65535 * height;
    }
    this.index();
  }

  // Rows by cell of a grid: `starts` of each cell in `order`.
  index() {
    this.columns = Math.max(1, Math.ceil(this.width / GRID));
    this.rows = Math.max(1, Math.ceil(this.height / GRID));
    const cells = new Uint32Array(this.count);
    const starts = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < this.count; i++) {
      cells[i] = this.rowOf(this.y[i]) * this.columns + this.columnOf(this.x[i]);
      starts[cells[i] + 1]++;
    }
    for (let cell = 0; cell < starts.length - 1; cell++) starts[cell + 1] += starts[cell];
    const next = starts.slice();
    this.order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) this.order[next[cells[i]]++] = i;
    this.starts = starts;
    this.found = new Uint32Array(this.count);
  }

  columnOf(x) { return Math.min(this.columns - 1, Math.max(0, Math.floor((x - this.left) / GRID))); }
  rowOf(y) { return Math.min(this.rows - 1, Math.max(0, Math.floor((y - this.top) / GRID))); }

  // Rows whose picture may reach into a rectangle; the array is used again by the next call.
  within(left, top, right, bottom) {
    let count = 0;
    const [first, last] = [this.columnOf(left - 0.5), this.columnOf(right + 0.5)];
    for (let row = this.rowOf(top - 0.5); row <= this.rowOf(bottom + 0.5); row++) {
      const end = this.starts[row * this.columns + last + 1];
      for (let at = this.starts[row * this.columns + first]; at < end; at++) {
        const i = this.order[at];
        const [x, y] = [this.x[i], this.y[i]];
        if (x > left - 0.5 && x < right + 0.5 && y > top - 0.5 && y < bottom + 0.5) this.found[count++] = i;
      }
    }
    return this.found.subarray(0, count);
  }

  // The row of the picture nearest to a point, -1 if none is within `reach` units.
  nearest(x, y, reach) {
    let [best, least] = [-1, reach];
    for (const i of this.within(x - reach, y - reach, x + reach, y + reach)) {
      const apart = Math.max(Math.abs(this.x[i] - x), Math.abs(this.y[i] - y));
      if (apart < least) [best, least] = [i, apart];
    }
    return best;
  }

  // Rows inside a closed line of [x, y] points (even-odd rule).
  inside(line) {
    const xs = line.map(([x]) => x);
    const ys = line.map(([, y]) => y);
    const bounds = [xs, ys].map((each) => [Math.min(...each), Math.max(...each)]);
    const candidates = [...this.within(bounds[0][0], bounds[1][0], bounds[0][1], bounds[1][1])];
    return candidates.filter((i) => {
      let inside = false;
      for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
        if ((ys[a] > this.y[i]) !== (ys[b] > this.y[i]) && this.x[i] < (xs[b] - xs[a]) * (this.y[i] - ys[a]) / (ys[b] - ys[a]) + xs[a]) inside = !inside;
      }
      return inside;
    });
  }

  rowsOf(ids) {
    this.byId ??= new Map(Array.from(this.ids, (id, i) => [id, i]));
    return ids.map((id) => this.byId.get(id)).filter((i) => i !== undefined);
  }
}
