// Light or dark like the Airflow UI around this page; without a frame, as last set for the UI in this
// browser. Runs before anything is drawn.
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // The page around, if it has the same origin.
  function around() {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null;
    }
  }

  function chosen() {
    const names = ["dark", "light"];
    const shown = names.find((name) => around()?.classList.contains(name));
    if (shown !== undefined) return shown;
    try {
      return names.find((name) => name === window.localStorage.getItem("theme"));
    } catch {
      return undefined;
    }
  }

  function follow() {
    const theme = chosen() ?? (dark.matches ? "dark" : "light");
    if (document.documentElement.dataset.theme !== theme) {
      document.documentElement.dataset.theme = theme;
      document.dispatchEvent(new Event("recfleet:theme"));
    }
  }

  follow();
  dark.addEventListener("change", follow);
  window.addEventListener("storage", follow);
  const page = around();
  if (page !== null) new MutationObserver(follow).observe(page, { attributeFilter: ["class"] });
})();
