// Links out of these pages. The Airflow UI shows them in a frame that may not navigate its window;
// the page around may, so the links ask it to. Without a frame, links are plain links.

// The page around, if it has the same origin.
function pageAround() {
  try {
    return window.parent === window ? null : window.parent.document;
  } catch {
    return null;
  }
}

export function leadOutside() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.out");
    const around = pageAround();
    if (link === null || around === null || event.defaultPrevented) return;
    event.preventDefault();
    const twin = around.createElement("a");
    twin.href = link.href;
    const isElsewhere = link.origin !== window.location.origin;
    if (isElsewhere || event.ctrlKey || event.metaKey || event.shiftKey) {
      twin.target = "_blank";
      twin.rel = "noopener";
    }
    around.body.append(twin);
    twin.click();
    twin.remove();
  });
}

// The navigation's entry for this frame. When somebody clicks it, the UI changes its own address but
// leaves the frame where it is; the entry should lead to the first page.
export function leadHome() {
  const around = pageAround();
  if (around === null) return;
  function go(event) {
    const link = event.target.closest?.("a[href]");
    const isElsewhere = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey;
    if (!link || isElsewhere || link.origin !== window.location.origin) return;
    const entry = around.location.pathname.match(/^.*?\/plugin\/[^/]+/)?.[0];
    if (link.pathname.replace(/\/$/, "") === entry) window.location.assign(document.body.dataset.home);
  }
  around.addEventListener("click", go, true);
  // The next page in this frame listens for itself.
  window.addEventListener("pagehide", () => around.removeEventListener("click", go, true));
  window.addEventListener("pageshow", () => around.addEventListener("click", go, true));
}
