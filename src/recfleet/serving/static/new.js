// New here: two products that a customer likes, and what follows.

import { askTenant, at, complain, element, latest, signIn } from "./page.js";
import { Picker } from "./picker.js";
import { nameOf, showAnswer } from "./places.js";

const next = latest();
const chosen = [null, null];
const places = ["first", "second"];

function draw() {
  places.forEach((id, side) => {
    const one = chosen[side];
    at(id).querySelector(".chosen")?.remove();
    if (one !== null)
      at(id).append(
        element(
          "p",
          { class: "chosen" },
          element("strong", {}, nameOf(one)),
          element("button", { type: "button", onclick: () => take(side, null), "aria-label": `Take away ${nameOf(one)}` }, "×"),
        ),
      );
  });
  const products = chosen.filter((one) => one !== null).map((one) => one.product);
  for (const button of at("popular").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(products.includes(button.value)));
}

function take(side, one) {
  if (one !== null && chosen[1 - side]?.product === one.product) return;
  chosen[side] = one;
  draw();
  follow();
}

async function follow() {
  const products = chosen.filter((one) => one !== null).map((one) => one.product);
  const signal = next(); // also without a product: the answer under way is not wanted any more
  if (products.length === 0) {
    at("shown").hidden = true;
    return;
  }
  try {
    const seeds = products.map((product) => `seed=${encodeURIComponent(product)}`).join("&");
    const answer = await askTenant(`recommendations?${seeds}`, { signal });
    complain(null);
    showAnswer(answer, `What follows ${chosen.filter(Boolean).map(nameOf).join(" and ")}`, null);
  } catch (error) {
    complain(error);
  }
}

// A popular product goes to the first side that is free; chosen again, it is taken away.
function press(item) {
  const side = chosen.findIndex((one) => one?.product === item.product);
  if (side >= 0) return take(side, null);
  const free = chosen.indexOf(null);
  take(free < 0 ? 1 : free, item);
}

new Picker(at("first"), "First product", (one) => take(0, one));
new Picker(at("second"), "Second product", (one) => take(1, one));

signIn(async () => {
  const popular = await askTenant("popular?limit=12");
  at("popular").replaceChildren(
    ...popular.items.map((item) =>
      element(
        "li",
        {},
        element(
          "button",
          { type: "button", value: item.product, "aria-pressed": "false", onclick: () => press(item) },
          nameOf(item),
        ),
      ),
    ),
  );
});
