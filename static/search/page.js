// Searching as soon as a picture is chosen, dropped, pasted or named.
"use strict";

function searchPage(form) {
  const { file, url } = form.elements;
  const preview = form.querySelector("#preview");
  const label = form.querySelector(".drop strong");
  const empty = label.textContent;

  function show() {
    URL.revokeObjectURL(preview.src);
    const [chosen] = file.files;
    preview.hidden = !chosen;
    if (chosen) preview.src = URL.createObjectURL(chosen);
    else preview.removeAttribute("src");
    label.textContent = chosen ? gettext("Choose another picture") : empty;
  }
  // Some types that the server reads are none that browsers show.
  preview.addEventListener("error", () => { preview.hidden = true; label.textContent = file.files[0]?.name ?? empty; });

  form.take = (files) => {
    file.files = listOf([files[0]]);
    url.value = "";
    show();
    form.requestSubmit();
  };
  form.fetch = (address) => { file.value = ""; show(); url.value = address; form.requestSubmit(); };
  file.addEventListener("change", () => file.files.length ? form.take(file.files) : show());
  url.addEventListener("input", () => { file.value = ""; show(); });
  for (const way of form.elements.method) {
    way.addEventListener("change", () => { if (file.value || url.value) form.requestSubmit(); });
  }
  for (const field of form.querySelectorAll("[aria-describedby]")) {
    const wrong = $(`#error-${field.name}`)?.textContent.trim();
    if (wrong) field.setAttribute("aria-invalid", "true");
  }
  form.addEventListener("htmx:beforeRequest", () => announce(gettext("Searching…")));
  form.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
    if (xhr.status === 0 || xhr.status >= 401) fail(xhr.status);
    else if (xhr.status < 300 && matchMedia("(max-width: 60rem)").matches) setTimeout(() => $(".found").scrollIntoView());
  });
  function fail(status) {
    const failed = status ? gettext("The search failed. Please try again.") : gettext("The site cannot be reached. Please try again.");
    $("#error-other").textContent = status === 413 ? gettext("The picture is too large. Please try again.") : failed;
    announce($("#error-other").textContent);
  }
  show();
}

enliven("#search-form", searchPage);
receiveFiles((files) => $("#search-form").take(files), (address) => $("#search-form").fetch(address));
