// The page says everything without this file. With it, times read "3 minutes ago", the state is
// fetched anew while the page is open, and a machine that has stopped writing turns red by itself.
/* global document, fetch, location, DOMParser, setInterval */
"use strict";

const units = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function fromNow(date) {
  const seconds = Math.round((date - Date.now()) / 1000);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

function show() {
  const status = document.getElementById("status");
  if (!status) return;
  for (const time of status.querySelectorAll("time")) {
    time.title ||= time.textContent;
    time.textContent = fromNow(new Date(time.dateTime));
  }
  if (new Date(status.dataset.staleAfter) < Date.now() && status.dataset.state !== "off") {
    status.classList.remove("good", "neutral");
    status.classList.add("bad");
    status.querySelector(".summary strong").textContent = "Needs attention";
    status.querySelector(".summary span").textContent = "The machine has stopped reporting.";
  }
}

// The whole page is asked for again, so that there is one place that turns the state into HTML.
async function refresh() {
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("status");
    if (response.ok && fresh) document.getElementById("status").replaceWith(fresh);
  } catch {
    // The connection is gone for now; what is shown ages visibly.
  }
  show();
}

show();
setInterval(refresh, 15_000);
