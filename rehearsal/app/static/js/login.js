// Prevents a second submission while the first is under way.
document.querySelector("form")?.addEventListener("submit", (event) => {
  event.target.querySelector("button").disabled = true;
});
