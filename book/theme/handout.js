// `PAGE.html?handout`: a chapter for the hands of a class. Its story, its chart, the lines that change and the questions stay;
// answers, listings and the rest are hidden. Printed it has at most four pages.
(() => {
  "use strict";
  if (!new URLSearchParams(location.search).has("handout")) return;
  // Of the fix only the lines that change.
  const kept = {
    "what-you-see": "*", "the-code": "*", predict: "*", "the-fix-and-its-price": ".wb-diff", questions: "*",
  };
  const main = document.querySelector("#mdbook-content main, .content main");
  if (!main || !main.querySelector("#questions")) return;
  document.documentElement.classList.add("wb-handout");
  let section = "what-you-see";
  for (const child of main.children) {
    if (child.tagName === "H1") continue;
    const heading = child.tagName === "H2";
    if (heading) section = child.id;
    const rule = kept[section];
    if (!rule || (!heading && !child.matches(rule))) child.hidden = true;
  }
  const bar = document.createElement("p");
  bar.className = "wb-handout-bar";
  const print = document.createElement("button");
  print.textContent = "Print the hand-out";
  print.addEventListener("click", () => window.print());
  const back = document.createElement("a");
  back.href = location.pathname;
  back.textContent = "Back to the whole chapter";
  bar.append(print, " ", back);
  main.querySelector("h1").after(bar);
})();
