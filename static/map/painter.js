// Draws with WebGL 2: dots straight from a buffer of all pictures, small pictures as quads out of texture layers.
"use strict";

const DOTS = [`#version 300 es
in vec2 at; in vec3 colour; in float state;
uniform vec4 view; uniform float size; uniform float dim;
out vec4 ink;
void main() {
  gl_Position = vec4(at * view.xy + view.zw, 0, 1);
  gl_PointSize = size;
  ink = vec4(colour, state > 0.0 ? 1.0 : dim);
}`, `#version 300 es
precision mediump float;
in vec4 ink; out vec4 pixel;
void main() { pixel = vec4(ink.rgb * ink.a, ink.a); }`];

const QUADS = [`#version 300 es
in vec2 corner; in vec4 box; in vec4 cell; in vec4 colour;
uniform vec2 screen;
out vec3 where; out vec4 ink;
void main() {
  vec2 at = (box.xy + (corner - 0.5) * box.zw) / screen * 2.0 - 1.0;
  gl_Position = vec4(at.x, -at.y, 0, 1);
  vec2 inset = vec2(0.5 / 1024.0);
  where = vec3(cell.yz + mix(inset, vec2(cell.w) - inset, corner), cell.x);
  ink = colour;
}`, `#version 300 es
precision mediump float; precision mediump sampler2DArray;
uniform sampler2DArray tiles;
in vec3 where; in vec4 ink; out vec4 pixel;
void main() {
  vec3 colour = where.z < -0.5 ? ink.rgb : texture(tiles, vec3(where.xy, floor(where.z + 0.5))).rgb;
  pixel = vec4(colour * ink.a, ink.a);
}`];

// The same as quads, a vertex each: cheaper, but nothing for large ones, which vanish as their middle leaves the screen.
const SPRITES = [`#version 300 es
in vec4 box; in vec4 cell; in vec4 colour;
uniform vec2 screen;
out vec4 part; flat out vec2 reach; out vec4 ink;
void main() {
  vec2 at = box.xy / screen * 2.0 - 1.0;
  gl_Position = vec4(at.x, -at.y, 0, 1);
  gl_PointSize = max(box.z, box.w);
  reach = gl_PointSize / max(box.zw, vec2(1));
  part = cell; ink = colour;
}`, `#version 300 es
precision mediump float; precision mediump sampler2DArray;
uniform sampler2DArray tiles;
in vec4 part; flat in vec2 reach; in vec4 ink; out vec4 pixel;
void main() {
  vec2 at = (gl_PointCoord - 0.5) * reach + 0.5;
  if (at != clamp(at, 0.0, 1.0)) discard;
  vec2 inset = vec2(0.5 / 1024.0);
  vec3 where = vec3(part.yz + mix(inset, vec2(part.w) - inset, at), floor(part.x + 0.5));
  vec3 colour = part.x < -0.5 ? ink.rgb : texture(tiles, where).rgb;
  pixel = vec4(colour * ink.a, ink.a);
}`];

const FLOATS = 12; // of one quad: box (centre, size), cell (layer, left, top, size), colour

class Painter {
  constructor(canvas, layers) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, premultipliedAlpha: true, powerPreference: "high-performance" });
    if (!gl) throw new Error("This browser has no WebGL 2.");
    Object.assign(this, { gl, canvas, quads: new Float32Array(FLOATS * 1024), count: 0 });
    this.dotsProgram = this.program(DOTS);
    this.quadsProgram = this.program(QUADS);
    this.spritesProgram = this.program(SPRITES);
    this.makeTiles(layers);
    this.makeQuads();
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  program([vertex, fragment]) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    return program;
  }

  makeTiles(layers) {
    const { gl } = this;
    this.tiles = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, this.tiles);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.RGBA8, SIDE, SIDE, layers);
    for (const [name, value] of [["MIN_FILTER", gl.LINEAR], ["MAG_FILTER", gl.LINEAR], ["WRAP_S", gl.CLAMP_TO_EDGE], ["WRAP_T", gl.CLAMP_TO_EDGE]]) {
      gl.texParameteri(gl.TEXTURE_2D_ARRAY, gl[`TEXTURE_${name}`], value);
    }
  }

  load(layer, x, y, bitmap) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, this.tiles);
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, x, y, layer, bitmap.width, bitmap.height, 1, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  }

  makeQuads() {
    const { gl } = this;
    this.quadsArray = gl.createVertexArray();
    gl.bindVertexArray(this.quadsArray);
    this.attribute(this.quadsProgram, "corner", this.buffer(new Float32Array([0, 0, 1, 0, 0, 1, 1, 1])), 2, gl.FLOAT);
    this.quadsBuffer = this.buffer(this.quads, gl.DYNAMIC_DRAW);
    this.attributes(this.quadsProgram, 1);
    this.spritesArray = gl.createVertexArray();
    gl.bindVertexArray(this.spritesArray);
    this.attributes(this.spritesProgram, 0);
  }

  attributes(program, divisor) {
    const { gl } = this;
    for (const [number, name] of ["box", "cell", "colour"].entries()) {
      const at = this.attribute(program, name, this.quadsBuffer, 4, gl.FLOAT, false, 4 * FLOATS, 16 * number);
      gl.vertexAttribDivisor(at, divisor);
    }
  }

  buffer(data, usage = this.gl.STATIC_DRAW) {
    const { gl } = this;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, usage);
    return buffer;
  }

  attribute(program, name, buffer, size, type, normalized = false, stride = 0, offset = 0) {
    const { gl } = this;
    const at = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, type, normalized, stride, offset);
    return at;
  }

  // All pictures of a map, for drawing them as dots.
  setPositions(positions) {
    const { gl } = this;
    for (const old of this.dotBuffers ?? []) gl.deleteBuffer(old);
    if (this.dotsArray) gl.deleteVertexArray(this.dotsArray);
    this.dotsArray = gl.createVertexArray();
    gl.bindVertexArray(this.dotsArray);
    const at = new Uint16Array(2 * positions.count);
    for (let i = 0; i < positions.count; i++) at.set([positions.qx[i], positions.qy[i]], 2 * i);
    this.dotBuffers = [this.buffer(at), this.buffer(positions.colours), this.buffer(new Uint8Array(positions.count), gl.DYNAMIC_DRAW)];
    this.attribute(this.dotsProgram, "at", this.dotBuffers[0], 2, gl.UNSIGNED_SHORT, true);
    this.attribute(this.dotsProgram, "colour", this.dotBuffers[1], 3, gl.UNSIGNED_BYTE, true, 4);
    this.attribute(this.dotsProgram, "state", this.dotBuffers[2], 1, gl.UNSIGNED_BYTE);
    this.positions = positions;
  }

  setStates(states) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.dotBuffers[2]);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, states);
  }

  clear() {
    const { gl, canvas } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.count = 0;
  }

  // `view`: centre in units and device pixels a unit.
  dots(view, size, dim) {
    const { gl, canvas, positions, dotsProgram } = this;
    const [kx, ky] = [2 * view.scale / canvas.width, 2 * view.scale / canvas.height];
    gl.useProgram(dotsProgram);
    const uniform = (name) => gl.getUniformLocation(dotsProgram, name);
    gl.uniform4f(uniform("view"), positions.width * kx, -positions.height * ky, (positions.left - view.x) * kx, -(positions.top - view.y) * ky);
    gl.uniform1f(uniform("size"), size);
    gl.uniform1f(uniform("dim"), dim);
    gl.bindVertexArray(this.dotsArray);
    gl.drawArrays(gl.POINTS, 0, positions.count);
  }

  // One picture more; `cell` is what Tiles.find wrote. Device pixels.
  add(x, y, width, height, cell, red, green, blue, alpha) {
    if (FLOATS * (this.count + 1) > this.quads.length) {
      const larger = new Float32Array(2 * this.quads.length);
      larger.set(this.quads);
      this.quads = larger;
    }
    const { quads } = this;
    const at = FLOATS * this.count++;
    quads[at] = x; quads[at + 1] = y; quads[at + 2] = width; quads[at + 3] = height;
    quads[at + 4] = cell[0]; quads[at + 5] = cell[1]; quads[at + 6] = cell[2]; quads[at + 7] = cell[3];
    quads[at + 8] = red; quads[at + 9] = green; quads[at + 10] = blue; quads[at + 11] = alpha;
  }

  flush(small = false) {
    const { gl, canvas } = this;
    if (!this.count) return;
    const program = small ? this.spritesProgram : this.quadsProgram;
    gl.useProgram(program);
    gl.bindVertexArray(small ? this.spritesArray : this.quadsArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.quadsBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.quads.subarray(0, FLOATS * this.count), gl.DYNAMIC_DRAW);
    gl.uniform2f(gl.getUniformLocation(program, "screen"), canvas.width, canvas.height);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, this.tiles);
    if (small) gl.drawArrays(gl.POINTS, 0, this.count);
    else gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
    this.count = 0;
  }
}
