window.shownValues = [];

new MutationObserver(() => {
  for (const bar of document.querySelectorAll("[role=progressbar]")) {
    const job = document.getElementById(bar.getAttribute("aria-labelledby"))?.textContent;
    const card = bar.closest(".job");
    const now = {
      job,
      attempt: card.querySelector(".attempt").textContent,
      status: card.querySelector(".status").textContent,
      value: Number(bar.getAttribute("aria-valuenow")),
    };
    const last = window.shownValues.findLast((each) => each.job === job);
    if (JSON.stringify(last) !== JSON.stringify(now)) window.shownValues.push(now);
  }
}).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
