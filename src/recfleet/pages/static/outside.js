// Ways out of these pages. The Airflow UI shows them in a frame that may not lead its own window
// elsewhere; the page around may, and is asked to. On their own, links are links.

// The page around, when it is one of the same origin.
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

// The entry of the navigation that this frame belongs to. The UI changes its own address when it is
// pressed, and leaves the frame where people went within it; it is to lead to the first page.
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
