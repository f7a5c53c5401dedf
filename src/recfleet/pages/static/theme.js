// Light or dark as the Airflow UI around this page is: it keeps its choice in the storage that all
// pages of its origin share. Runs before anything is drawn.
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  function follow() {
    const chosen = choice();
    const theme = chosen === "dark" || chosen === "light" ? chosen : dark.matches ? "dark" : "light";
    if (document.documentElement.dataset.theme !== theme) {
      document.documentElement.dataset.theme = theme;
      document.dispatchEvent(new Event("recfleet:theme"));
    }
  }

  follow();
  dark.addEventListener("change", follow);
  window.addEventListener("storage", follow);
})();
