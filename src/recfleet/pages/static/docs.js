// Great Expectations' page in its frame, where no script runs: give the frame the page's height and
// the theme of the page around, and let its links replace the whole page.

export function showDocs() {
  const frame = document.querySelector("iframe.docs");
  if (frame === null) return;

  function fit() {
    const page = frame.contentDocument;
    if (!page?.body) return;
    page.documentElement.dataset.theme = document.documentElement.dataset.theme;
    frame.style.height = `${page.body.offsetHeight + 8}px`;
  }

  function arrive() {
    const there = frame.contentWindow.location;
    if (there.href === "about:blank") return;
    if (there.href === frame.src) fit();
    else window.location.replace(there.href);
  }

  frame.addEventListener("load", arrive);
  if (frame.contentDocument?.readyState === "complete") arrive();
  document.addEventListener("recfleet:theme", fit);
  window.addEventListener("resize", fit);
}
