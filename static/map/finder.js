// Search on the map, and what is done with a selection.
"use strict";

const MOST_LIT = 60;

class Finder {
  // Search: what is found lights up where it lies.
  constructor(controls) {
    Object.assign(this, { controls, map: controls.map, view: controls.view, part: controls.part, data: controls.root.dataset });
    const form = this.part(".map-search");
    form.addEventListener("submit", (event) => { event.preventDefault(); this.searchWords(form.elements.q.value.trim()); });
    form.elements.q.addEventListener("search", () => { if (!form.elements.q.value) this.clear(); });
    form.elements.file.addEventListener("change", () => { if (form.elements.file.files.length) this.searchPicture(form.elements.file.files[0]); });
    this.part(".unlight").addEventListener("click", () => this.clear());
    receiveFiles(([file]) => this.searchPicture(file));
  }

  async searchWords(words) {
    if (!words) return this.clear();
    const query = new URLSearchParams({ q: words, limit: MOST_LIT });
    const answer = await this.controls.ask(`${this.data.text}?${query}`);
    if (!answer) return;
    if (answer.results.length) return this.lightFound(answer);
    const titled = await this.controls.ask(`${this.data.images}?${new URLSearchParams({ q: words })}`);
    if (titled?.results.length) return this.lightUp(titled.results.map(({ id }) => id), true);
    this.lightUp([]);
    this.controls.say(Object.values(answer.skipped)[0] ?? fill(gettext("Nothing found for “%(words)s”."), { words }));
  }

  async searchPicture(file) {
    const body = new FormData();
    body.set("file", file);
    body.set("limit", MOST_LIT);
    const answer = await this.controls.ask(this.data.byPicture, { method: "POST", body, headers: this.controls.token() });
    if (answer) this.lightFound(answer);
    this.part(".map-search").elements.file.value = "";
  }

  lightFound({ results }) {
    const alike = results.filter(({ score }) => score >= Math.max(0.1, results[0].score / 3));
    this.lightUp((alike.length ? alike : results.slice(0, 12)).map(({ image }) => image.id));
  }

  lightUp(ids, byTitle = false) {
    const { map, view } = this;
    const rows = map.light(ids);
    this.part(".found").hidden = !rows.length;
    const n = rows.length;
    const text = byTitle
      ? ngettext("%(n)s picture found by title", "%(n)s pictures found by title", n)
      : ngettext("%(n)s picture found", "%(n)s pictures found", n);
    this.part(".found span").textContent = fill(text, { n });
    announce(this.part(".found span").textContent);
    if (!rows.length) return;
    this.part(".said").textContent = "";
    const [left, top] = view.toMap(0, 0);
    const [right, bottom] = view.toMap(view.width, view.height);
    const { x, y } = map.positions;
    if (!rows.slice(0, 12).every((i) => x[i] > left && x[i] < right && y[i] > top && y[i] < bottom)) {
      const best = rows.slice(0, 12);
      const [xs, ys] = [best.map((i) => x[i]), best.map((i) => y[i])];
      view.fit(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
    }
  }

  clear() {
    this.map.light([]);
    this.part(".found").hidden = true;
    this.part(".map-search").elements.q.value = "";
    this.part(".said").textContent = "";
  }
}

class Picker {
  // Selection: ids go with every form of the bar.
  constructor(controls) {
    Object.assign(this, { controls, map: controls.map, view: controls.view, part: controls.part });
    const bar = this.part(".picked");
    this.part(".unpick").addEventListener("click", () => this.select([]));
    for (const form of bar.querySelectorAll("form")) {
      form.addEventListener("formdata", ({ formData }) => formData.set("ids", this.map.idsOf(this.map.picked).join(",")));
      if (form.dataset.answer) form.addEventListener("submit", (event) => { event.preventDefault(); this.send(form); });
    }
  }

  selectSeen() {
    const { view } = this;
    this.select([...this.map.positions.within(...view.toMap(0, 0), ...view.toMap(view.width, view.height))]);
  }

  select(rows) {
    if (!rows.length && !this.map.picked.length) return;
    this.map.pick(rows);
    this.part(".picked").hidden = !rows.length;
    const n = rows.length;
    this.part(".picked .count").textContent = fill(ngettext("%(n)s picture selected", "%(n)s pictures selected", n), { n });
    announce(this.part(".picked .count").textContent);
    if (rows.length && this.map.lasso.on) this.controls.setLasso(false);
  }

  async send(form) {
    const options = { method: "POST", body: new FormData(form), headers: this.controls.token() };
    if (form.dataset.answer === "message") {
      const answer = await this.controls.ask(form.action, options);
      if (!answer) return;
      this.controls.say(answer.message);
      form.reset();
      return form.closest("details")?.removeAttribute("open");
    }
    const answer = await fetch(form.action, options).catch(() => null);
    if (!answer?.ok) return this.controls.say((await answer?.json().catch(() => null))?.message ?? gettext("That did not work. Please try again."));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    this.controls.panel.hidden = false;
    const content = document.createElement("div");
    content.append(...page.body.childNodes);
    this.controls.show(gettext("Similar pictures"), content);
    this.controls.finder.lightUp(this.controls.idsIn(content));
  }
}
