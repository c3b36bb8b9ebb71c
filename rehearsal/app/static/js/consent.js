// Asks once whether visits may be measured; nothing is measured before that, or after a refusal.
const about = document.body.dataset;
const banner = document.querySelector("#consent");
function measure() {
  globalThis.dataLayer = [{ event: "page_view", meta: "PageView" }];
  const step = document.querySelector("[data-event]");
  if (step) globalThis.dataLayer.push(JSON.parse(step.dataset.event));
  const script = document.createElement("script");
  script.src = `${about.gtmUrl}?id=${about.gtmContainer}`;
  document.head.append(script);
}
function decide(choice) {
  localStorage.setItem("consent", choice);
  banner.hidden = true;
  if (choice === "accepted") measure();
}
for (const button of banner.querySelectorAll("button")) {
  button.addEventListener("click", () => decide(button.value));
}
const choice = localStorage.getItem("consent");
banner.hidden = Boolean(choice);
if (choice === "accepted" || about.measure === choice || about.measure === "always") measure();
