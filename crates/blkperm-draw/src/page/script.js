// Opens what a link leads to, and all details or none; shows the middle of what is too wide.
"use strict";
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = target; one; one = one.parentElement) if (one.localName === "details") one.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();
document.addEventListener("toggle", (event) => {
  for (const one of event.target.querySelectorAll("figure .scroll")) {
    one.scrollLeft = (one.scrollWidth - one.clientWidth) / 2;
  }
}, true);
for (const button of document.querySelectorAll("button[data-open]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = document.querySelectorAll(button.dataset.of);
    for (const one of all) one.open = button.dataset.open === "true";
  });
}
