// Files that visitors hand over.
"use strict";

// Files that are dropped or pasted anywhere on the page, or an address of one.
function receiveFiles(onFiles, onAddress) {
  let depth = 0;
  const drag = (step) => (event) => {
    event.preventDefault();
    depth = Math.max(0, depth + step);
    document.body.classList.toggle("dragging", depth > 0);
  };
  document.addEventListener("dragenter", drag(1));
  document.addEventListener("dragleave", drag(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    drag(-depth)(event);
    receive(event.dataTransfer, event.dataTransfer.getData("text/uri-list").split("\n")[0]);
  });
  document.addEventListener("paste", (event) => {
    const typing = event.target.closest?.("input:not([type=file]), textarea");
    if (typing && !event.clipboardData.files.length) return;
    receive(event.clipboardData, event.clipboardData.getData("text").trim());
  });
  function receive(data, text) {
    if (data.files.length) onFiles(data.files);
    else if (/^https?:\/\/\S+$/i.test(text)) onAddress?.(text);
  }
}

function listOf(files) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  return transfer.files;
}
