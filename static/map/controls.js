// What stands around the map: the picture that was clicked, buttons and keys, and the page's address.
"use strict";

const STEP = 120; // CSS pixels that an arrow key moves
const FRESH = 20_000; // milliseconds from one look for new pictures to the next

class Controls {
  constructor(root, map) {
    Object.assign(this, { root, map, view: map.view });
    this.part = (selector) => root.querySelector(selector);
    this.panel = this.part(".panel");
    this.hand = new Hand(map.view, map.lasso, {
      click: (at) => this.click(at),
      hover: (at) => this.point(at),
      drawn: (line) => this.picker.select(map.positions.inside(line)),
    });
    this.buttons();
    this.keys();
    this.finder = new Finder(this);
    this.picker = new Picker(this);
    this.remember();
    document.addEventListener("visibilitychange", () => this.refresh());
    setInterval(() => this.refresh(), FRESH);
  }

  say(text) { this.part(".said").textContent = text; announce(text); }

  // New pictures appear, deleted ones go, while the page is open.
  async refresh() {
    if (document.hidden || this.busy) return;
    this.busy = true;
    try {
      const { results } = await (await fetch(this.root.dataset.maps)).json();
      const about = results.find(({ space }) => space === this.map.about.space);
      if (about && about.version !== this.map.about.version) await this.map.load(about);
      else if (about) this.map.tiles.show(about.pages, this.map.tiles.picture);
    } catch (error) {
      console.warn("The map could not be refreshed.", error);
    }
    this.busy = false;
  }

  under([px, py]) {
    const [x, y] = this.view.toMap(px, py);
    const reach = Math.max(0.5, 10 / this.view.scale);
    const lit = this.map.lit.find((i) => Math.max(Math.abs(this.map.positions.x[i] - x), Math.abs(this.map.positions.y[i] - y)) * this.view.scale < LIT_SIZE / 2);
    return lit ?? this.map.positions.nearest(x, y, reach);
  }

  point(at) {
    const row = at && this.map.positions && !this.map.lasso.on ? this.under(at) : -1;
    if (row === this.map.pointed) return;
    this.map.pointed = row;
    this.map.stage.classList.toggle("over", row >= 0);
    this.map.changed();
  }

  click(at) {
    const row = this.under(at);
    if (row >= 0) this.open(this.map.positions.ids[row]);
    else this.close();
  }

  // The picture's own page brings what the panel shows, so that both say the same.
  async open(id, focus = false) {
    const address = this.root.dataset.picture.replace("/0/", `/${id}/`);
    this.map.opened = this.map.positions.rowsOf([id])[0] ?? -1;
    this.map.changed();
    this.panel.hidden = false;
    this.part(".panel h2").textContent ||= gettext("Picture");
    this.panel.setAttribute("aria-busy", "true");
    const answer = await fetch(address).catch(() => null);
    if (!answer?.ok) return this.show(null, gettext("This picture cannot be shown. It may have been deleted."));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const head = document.createElement("div");
    const link = document.createElement("a");
    const title = page.querySelector("h1")?.textContent ?? gettext("Picture");
    link.href = address;
    link.className = "shown";
    const image = page.querySelector(".big img");
    if (image) {
      image.alt = fill(gettext("%(title)s, open page"), { title });
      image.removeAttribute("fetchpriority");
      image.sizes = "24rem";
      link.append(image);
    }
    const chips = page.querySelector(".about .chips");
    const similar = page.querySelector("#similar");
    for (const element of similar?.querySelectorAll("[hx-replace-url]") ?? []) element.removeAttribute("hx-replace-url");
    head.append(link, ...(chips ? [chips] : []), ...(similar ? [similar] : []));
    this.show(title, head);
    if (focus) this.part(".panel h2").focus();
    history.replaceState(history.state, "", this.address({ picture: id }));
  }

  show(title, content) {
    this.panel.removeAttribute("aria-busy");
    this.part(".panel h2").textContent = title ?? gettext("Not found");
    this.part(".panel-body").replaceChildren(content);
    this.part(".panel-body").scrollTop = 0;
    this.part(".light-up").hidden = !this.part(".panel-body .tile");
    htmx.process(this.part(".panel-body"));
    if (title) announce(title);
  }

  close() {
    if (this.panel.hidden) return false;
    const had = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.map.opened = -1;
    this.map.changed();
    history.replaceState(history.state, "", this.address({}));
    if (had) this.map.stage.focus();
    return true;
  }

  idsIn(element) {
    const ids = [...element.querySelectorAll(".tile .frame")].map(({ pathname }) => Number(pathname.match(/(\d+)\/$/)?.[1]));
    return [...new Set(ids.filter(Boolean))];
  }

  buttons() {
    const { map, view } = this;
    const press = (selector, action) => this.part(selector)?.addEventListener("click", action);
    press(".zoom-in", () => view.step(1.6));
    press(".zoom-out", () => view.step(1 / 1.6));
    press(".zoom-all", () => view.fly(view.whole()));
    press(".lasso", () => this.setLasso(!map.lasso.on));
    press(".take-seen", () => this.picker.selectSeen());
    press(".close", () => this.close());
    press(".light-up", () => this.finder.lightUp(this.idsIn(this.part(".panel-body"))));
    // A picture in the panel opens on the map; its own page is a click on the large one away.
    this.panel.addEventListener("click", (event) => {
      const frame = event.target.closest(".tile .frame");
      if (!frame || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      const id = Number(frame.pathname.match(/(\d+)\/$/)?.[1]);
      const [row] = map.positions.rowsOf([id]);
      if (row === undefined) return;
      event.preventDefault();
      view.fly({ x: map.positions.x[row], y: map.positions.y[row], scale: Math.max(view.scale, 40) });
      this.open(id, true);
    });
    this.part(".groups")?.addEventListener("click", (event) => {
      const label = this.map.about.labels[event.target.dataset.number];
      if (label) view.fly({ x: label.x, y: label.y, scale: Math.max(4 * view.least, 16) });
    });
  }

  showGroups() {
    const list = this.part(".groups ul");
    list.replaceChildren(...this.map.about.labels.map((label, number) => [label, number]).filter(([{ level }]) => level === 0).map(([label, number]) => {
      const item = document.createElement("li");
      const button = item.appendChild(document.createElement("button"));
      Object.assign(button, { type: "button", textContent: label.text, className: "plain" });
      button.dataset.number = number;
      return item;
    }));
    this.part(".groups").hidden = !list.children.length;
  }

  setLasso(on) {
    this.map.lasso.on = on;
    this.part(".lasso").setAttribute("aria-pressed", String(on));
    this.map.stage.classList.toggle("drawing", on);
    if (on) this.say(gettext("Draw a line around pictures to select them."));
    else this.part(".said").textContent = "";
  }

  keys() {
    const { view, map } = this;
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const acts = {
      "+": () => view.step(1.6),
      "=": () => view.step(1.6),
      "-": () => view.step(1 / 1.6),
      0: () => view.fly(view.whole()),
      l: () => this.setLasso(!map.lasso.on),
      a: () => this.picker.selectSeen(),
      Enter: () => {
        const row = map.positions.nearest(view.x, view.y, Math.max(view.positions.width, view.positions.height));
        if (row >= 0) this.open(map.positions.ids[row], true);
      },
    };
    map.stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const move = moves[event.key];
      if (move) { view.stop(); view.pan(...move); }
      else acts[event.key]?.();
      if (move || acts[event.key]) { event.preventDefault(); event.stopPropagation(); }
    });
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (map.lasso.on) this.setLasso(false);
      else if (!this.close()) { this.finder.clear(); this.picker.select([]); }
    });
  }

  token() { return { "X-CSRFToken": this.part("[name=csrfmiddlewaretoken]").value }; }

  // The answer's JSON; null if there is none, and the page says why.
  async ask(address, options = {}) {
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" }, ...options });
      const body = await answer.json();
      if (answer.ok) return body;
      this.say(body.error?.message ?? body.message ?? gettext("That did not work. Please try again."));
    } catch {
      this.say(gettext("The site did not respond. Please try again."));
    }
    return null;
  }

  // The address tells where one looks, so that it can be sent to others.
  remember() {
    let later = 0;
    this.root.addEventListener("drawn", () => {
      clearTimeout(later);
      later = setTimeout(() => history.replaceState(history.state, "", this.address()), 400);
    });
  }

  address(changed) {
    const query = new URLSearchParams(location.search);
    const { x, y, scale } = this.view;
    const parts = { space: this.map.about.space, at: [x, y, scale].map((value) => Number(value.toFixed(2))).join(",") };
    for (const [name, value] of Object.entries(parts)) query.set(name, value);
    if (changed) changed.picture ? query.set("picture", changed.picture) : query.delete("picture");
    return `${location.pathname}?${query}`.replaceAll("%2C", ",");
  }

  // Goes where the address says.
  recall() {
    const query = new URLSearchParams(location.search);
    const [x, y, scale] = (query.get("at") ?? "").split(",").map(Number);
    if (scale > 0) this.view.set({ x, y, scale });
    const [row] = this.map.positions.rowsOf([Number(query.get("picture"))]);
    if (row === undefined) return;
    if (!(scale > 0)) this.view.set({ x: this.map.positions.x[row], y: this.map.positions.y[row], scale: 60 });
    this.open(this.map.positions.ids[row]);
  }
}

async function startMap(root) {
  let map;
  try {
    map = new PictureMap(root);
  } catch (error) {
    console.warn(error);
    root.classList.add("flat"); // the picture of the whole is shown instead
    return;
  }
  const controls = new Controls(root, map);
  const { results } = await (await fetch(root.dataset.maps)).json();
  await map.load(results.find(({ space }) => space === root.dataset.space));
  controls.showGroups();
  controls.recall();
  root.map = map;
  root.classList.add("ready");
}

// While a first map is being made: looks how far it is.
async function waitForMap(waiting) {
  const answer = await fetch(location.href).catch(() => null);
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  const next = page?.querySelector("#waiting");
  if (page && !next) return location.reload();
  if (next) waiting.replaceWith(next);
  setTimeout(waitForMap, 2000, next ?? waiting);
}

if ($("#map")) startMap($("#map"));
if ($("#waiting")) setTimeout(waitForMap, 2000, $("#waiting"));
