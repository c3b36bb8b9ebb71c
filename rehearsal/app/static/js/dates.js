// Dates and money as people write them, for the pages' other scripts.
const MONTHS = {
  en: ["January", "February", "March", "April", "May", "June", "July", "August", "September",
       "October", "November", "December"],
  es: ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
       "octubre", "noviembre", "diciembre"],
  fr: ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
       "octobre", "novembre", "décembre"],
};
const WEEKDAYS = {
  en: ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
  es: ["domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"],
  fr: ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
};
function language() {
  const wanted = (navigator.languages || [navigator.language]).map((tag) => tag.slice(0, 2));
  return wanted.find((tag) => tag in MONTHS) || "en";
}
function longDate(date, tag = language()) {
  const day = WEEKDAYS[tag][date.getDay()];
  const month = MONTHS[tag][date.getMonth()];
  if (tag === "en") return `${day}, ${month} ${date.getDate()}`;
  if (tag === "es") return `${day}, ${date.getDate()} de ${month}`;
  return `${day} ${date.getDate()} ${month}`;
}
function shortTime(date, tag = language()) {
  const minutes = String(date.getMinutes()).padStart(2, "0");
  if (tag !== "en") return `${date.getHours()}:${minutes}`;
  const hours = date.getHours() % 12 || 12;
  return `${hours}:${minutes} ${date.getHours() < 12 ? "am" : "pm"}`;
}
function daysBetween(from, to) {
  const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(to) - midnight(from)) / 86400000);
}
function relativeDay(date, now = new Date()) {
  const days = daysBetween(now, date);
  if (days === 0) return "today";
  if (days === 1) return "tomorrow";
  return days < 7 && days > 0 ? `in ${days} days` : longDate(date);
}
function money(cents, currency = "USD") {
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(cents / 100);
}
window.dates = { daysBetween, longDate, money, relativeDay, shortTime };
