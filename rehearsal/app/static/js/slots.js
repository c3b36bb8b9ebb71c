// Lists the free half hours of the chosen day and barber.
const form = document.querySelector("form[data-slots]");
const list = document.querySelector("#slots");
async function show() {
  const query = new URLSearchParams({ appointment_date: form.date.value });
  if (form.barber_id.value) query.set("barber_id", form.barber_id.value);
  const answer = await fetch(`/api/v2/appointments/slots?${query}`);
  const body = await answer.json();
  const free = answer.ok ? body.slots.filter((slot) => slot.available) : [];
  list.replaceChildren(...free.map((slot) => {
    const item = document.createElement("li");
    item.textContent = slot.time;
    return item;
  }));
  if (!free.length) list.textContent = answer.ok ? "No free time on this day." : "Try again later.";
}
form?.addEventListener("change", show);
if (form) show();
