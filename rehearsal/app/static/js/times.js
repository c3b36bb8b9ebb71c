// Shows each moment in the visitor's own time zone; the page carries UTC.
for (const element of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(element.dateTime);
  element.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
