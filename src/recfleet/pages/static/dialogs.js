// Questions before a change: a button opens its dialog, which asks for a reason.

export function openDialogs() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-opens], [data-closes]");
    if (button === null) return;
    if ("closes" in button.dataset) {
      button.closest("dialog").close();
      return;
    }
    open(document.getElementById(button.dataset.opens));
  });
  forgetNotice();
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("close", () => use(dialog));
  }
  for (const dialog of document.querySelectorAll("dialog[data-again]")) {
    dialog.close();
    open(dialog);
    document.querySelector(`[data-shown-in="${dialog.id}"]`)?.remove(); // The dialog shows it.
  }
  // One answer is enough: a second click must not send it again. The form sends the button's value
  // too, so the button is disabled only afterwards.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.getAttribute("aria-busy") === "true") event.preventDefault();
    form.setAttribute("aria-busy", "true");
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    });
  });
  // The browser may restore the page as the person left it.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form")) {
      form.removeAttribute("aria-busy");
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
    count();
  });
  document.addEventListener("change", (event) => {
    const all = event.target.dataset.ticks;
    if (all !== undefined) for (const box of boxes(all)) box.checked = event.target.checked;
    count();
  });
}

function open(dialog) {
  dialog.showModal();
  use(dialog);
  dialog.querySelector("textarea, select, input:not([type=hidden])")?.focus();
}

// Disable the fields of a closed dialog if its form contains more than the dialog.
function use(dialog) {
  for (const fields of dialog.querySelectorAll("fieldset")) fields.disabled = !dialog.open;
}

// An action's notice is shown once: a reload or a copied address does not show it again.
function forgetNotice() {
  const here = new URL(window.location.href);
  if (!here.searchParams.has("notice")) return;
  here.searchParams.delete("notice");
  window.history.replaceState(window.history.state, "", here);
}

function boxes(name) {
  return [...document.querySelectorAll(`input[type=checkbox][name="${name}"]`)];
}

// How many boxes are ticked; without any there is nothing to answer.
function count() {
  for (const place of document.querySelectorAll("[data-counts]")) {
    const ticked = boxes(place.dataset.counts).filter((box) => box.checked).length;
    place.textContent = ticked === 0 ? "none ticked" : `${ticked} ticked`;
  }
  for (const button of document.querySelectorAll("[data-needs]")) {
    button.disabled = !boxes(button.dataset.needs).some((box) => box.checked);
  }
}
