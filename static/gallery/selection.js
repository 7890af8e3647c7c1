// Pictures that are selected: how many, ranges by Shift, and a click anywhere on a picture.
"use strict";

function selectionPage(form) {
  const boxes = () => [...form.querySelectorAll("input[name=ids]")];
  const count = form.querySelector(".count");
  let last = null;
  function tell() {
    const chosen = boxes().filter((box) => box.checked).length;
    count.textContent = chosen ? fill(gettext("%(n)s selected"), { n: chosen }) : gettext("None selected");
  }
  form.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    const box = tile?.querySelector("input[name=ids]");
    if (!box) return;
    if (event.target.closest("a.frame")) {
      event.preventDefault();
      box.checked = !box.checked;
    } else if (event.target !== box) return;
    const all = boxes();
    const [from, to] = [all.indexOf(last ?? box), all.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey) for (const each of all.slice(from, to + 1)) each.checked = box.checked;
    last = box;
    tell();
  });
  tell();
}

enliven("#selection", selectionPage);
