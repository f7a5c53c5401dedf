// Ways out of these pages. The Airflow UI shows them in a frame that may not lead its own window
// elsewhere; the page around may, and is asked to. On their own, links are links.

export function leadOutside() {
  if (window.parent === window) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.out");
    if (link === null || event.defaultPrevented) return;
    let around;
    try {
      around = window.parent.document;
    } catch {
      return;
    }
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
