// Small pictures in a bounded number of textures: tiles of many from the site, and single ones put together here.
"use strict";

const SIDE = 1024; // of a tile, pixels
const SENT = [16, 32, 64, 128]; // sides of a cell on tiles that the site draws
const SINGLE = [256, 512]; // sides of a cell on tiles that are put together from single pictures
const AT_ONCE = 6; // requests under way
const PAUSE = 5000; // milliseconds before what failed is asked for again

const slotsOf = (level) => (SIDE / level) ** 2;

const keyOf = (level, number) => level * 2 ** 32 + number;

// Left and top of each cell of a tile, 0..1, by level: even bits of a slot are the column, odd ones the row.
const CELLS = Object.fromEntries([...SENT, ...SINGLE].map((level) => {
  const cells = new Float32Array(2 * slotsOf(level));
  for (let slot = 0; slot < slotsOf(level); slot++) {
    for (let bit = 0; slot >> (2 * bit); bit++) {
      cells[2 * slot] += ((slot >> (2 * bit)) & 1) << bit;
      cells[2 * slot + 1] += ((slot >> (2 * bit + 1)) & 1) << bit;
    }
  }
  return [level, cells.map((at) => at * level / SIDE)];
}));

class Tiles {
  // `load(layer, x, y, bitmap)` puts a bitmap into a texture; `changed()` asks for another frame.
  constructor(layers, load, changed) {
    Object.assign(this, { load, changed, addresses: {}, picture: null });
    this.free = Array.from({ length: layers }, (_, layer) => layer);
    this.capacity = layers;
    this.held = new Map();
    this.queue = [];
    this.ready = [];
    this.busy = 0;
    this.frame = 0;
    this.failed = new Map();
  }

  // `addresses`: level -> address of each tile; `picture(id, size)`: address of a single one.
  show(addresses, picture) {
    for (const [key, tile] of this.held) {
      if (tile.address && addresses[tile.level]?.[tile.number] !== tile.address) this.drop(key);
    }
    Object.assign(this, { addresses, picture });
  }

  // The finest level that is needed for pictures of so many pixels, if what is seen of it fits into the textures.
  levelFor(pixels, rows, positions) {
    const levels = [...SENT, ...SINGLE];
    let at = levels.findIndex((level) => level >= pixels * 0.8);
    if (at < 0) at = levels.length - 1;
    for (; at > 0; at--) {
      const size = slotsOf(levels[at]);
      const tiles = new Set();
      for (const i of rows) {
        tiles.add(Math.floor(positions.slots[i] / size));
        if (tiles.size > this.capacity - 4) break;
      }
      if (tiles.size <= this.capacity - 4) break;
    }
    return levels[at];
  }

  begin() { this.frame++; this.queue.length = 0; }

  // Where a slot's picture is: writes layer, left, top and size (0..1) to `into`; layer -1 while nothing is there.
  find(slot, id, level, into) {
    const wanted = this.tile(level, Math.floor(slot / slotsOf(level)), slot, id);
    if (this.write(wanted, slot, level, into)) return;
    for (let coarser = level / 2; coarser >= SENT[0]; coarser /= 2) {
      const tile = this.held.get(keyOf(coarser, Math.floor(slot / slotsOf(coarser))));
      if (this.write(tile, slot, coarser, into)) return;
    }
    into[0] = -1;
  }

  write(tile, slot, level, into) {
    if (!tile || !(tile.single ? tile.cells.get(slot) === true : tile.loaded)) return false;
    tile.seen = this.frame;
    const at = 2 * (slot % slotsOf(level));
    into[0] = tile.layer;
    into[1] = CELLS[level][at];
    into[2] = CELLS[level][at + 1];
    into[3] = level / SIDE;
    return true;
  }

  // A tile that is wanted now; it is asked for if it is not held.
  tile(level, number, slot, id) {
    const key = keyOf(level, number);
    const tile = this.held.get(key) ?? this.hold(key, level, number);
    if (!tile) return undefined;
    tile.seen = this.frame;
    if (tile.single) {
      if (!tile.cells.has(slot)) this.queue.push({ tile, slot, address: this.picture(id, level) });
    } else if (!tile.loaded && !tile.asked && tile.queued !== this.frame) {
      tile.queued = this.frame;
      this.queue.push({ tile, address: tile.address });
    }
    return tile;
  }

  hold(key, level, number) {
    const single = SINGLE.includes(level);
    const address = single ? null : this.addresses[level]?.[number];
    const layer = single || address ? this.room() : undefined;
    if (layer === undefined) return undefined;
    const tile = { level, number, address, single, layer, loaded: false, asked: false, cells: new Map() };
    this.held.set(key, tile);
    return tile;
  }

  room() {
    if (this.free.length) return this.free.pop();
    let oldest = null;
    for (const [key, tile] of this.held) {
      if (tile.seen < this.frame && (!oldest || tile.seen < oldest[1].seen)) oldest = [key, tile];
    }
    if (!oldest) return undefined;
    this.drop(oldest[0]);
    return this.free.pop();
  }

  drop(key) {
    const tile = this.held.get(key);
    tile.dropped = true;
    this.held.delete(key);
    this.free.push(tile.layer);
  }

  // At the end of a frame: one bitmap into its texture, and further requests.
  work() {
    const next = this.ready.shift();
    if (next) {
      const { tile, slot, bitmap } = next;
      if (!tile.dropped) {
        const at = slot === undefined ? 0 : 2 * (slot % slotsOf(tile.level));
        this.load(tile.layer, CELLS[tile.level][at] * SIDE, CELLS[tile.level][at + 1] * SIDE, bitmap);
        if (slot === undefined) tile.loaded = true;
        else tile.cells.set(slot, true);
        this.changed();
      }
      bitmap.close();
      if (this.ready.length) this.changed();
    }
    while (this.busy < AT_ONCE && this.queue.length) this.ask(this.queue.shift());
  }

  async ask({ tile, slot, address }) {
    if (tile.dropped || (slot === undefined ? tile.asked : tile.cells.has(slot))) return;
    if (performance.now() < (this.failed.get(address) ?? 0)) return;
    if (slot === undefined) tile.asked = true;
    else tile.cells.set(slot, false);
    this.busy++;
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`${answer.status} ${address}`);
      const size = slot === undefined ? SIDE : tile.level;
      const bitmap = await createImageBitmap(await answer.blob(), { resizeWidth: size, resizeHeight: size, resizeQuality: "medium" });
      this.ready.push({ tile, slot, bitmap });
    } catch {
      // The colour of the picture stands for it, or a coarser one; it is asked for again later.
      this.failed.set(address, performance.now() + PAUSE);
      tile.asked = false;
      tile.cells.delete(slot);
      setTimeout(this.changed, PAUSE + 100);
    }
    this.busy--;
    this.changed();
  }
}
