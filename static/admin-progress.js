"use strict";

// Moves the bars of unfinished jobs; when one has finished, the page is loaded again to show all of it.
const EVERY = 1000;

async function follow(job) {
  const [bar, text] = job.children;
  try {
    const answer = await fetch(job.dataset.url, { headers: { Accept: "application/json" } });
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) return;
    if (answer.ok) {
      const { state, stage, done, total } = await answer.json();
      if (!["queued", "running"].includes(state)) return location.reload();
      bar.max = total || 1;
      bar.value = done;
      text.textContent = `${[state, stage].filter(Boolean).join(": ")}${total && !stage.endsWith(` of ${total}`) ? ` (${done} of ${total})` : ""}`;
    }
  } catch (error) {
    console.warn("The site did not answer; asking again.", error);
  }
  setTimeout(follow, EVERY, job);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".job[data-url^='/']").forEach(follow);
});
