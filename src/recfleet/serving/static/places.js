// Shows an answer: its places with names, kinds and reasons.

import { at, element, say } from "./page.js";

const BY_SOURCE = {
  taste: "goes with what they have",
  habit: "they bought it before",
  trend: "many began to buy it this month",
  popular: "popular in this shop",
};
const BY = {
  model: (answer) => `by model ${answer.model_version}`,
  personal: () => "from their own purchases",
  popularity: () => "popular products",
  nothing: () => "",
};

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

export const nameOf = (one) => one.name ?? one.product;

// `actions` makes the buttons of a place; null: it has none.
export function showAnswer(answer, whose, actions) {
  at("shown").hidden = false;
  at("whose").textContent = whose;
  const parts = [BY[answer.served_by](answer)];
  if (answer.as_of !== null) parts.push(`as of ${day.format(new Date(answer.as_of))}`);
  if (answer.is_stale) parts.push("the database is away, so this may be old");
  at("origin").textContent = parts.filter((part) => part !== "").join(", ");
  at("note").textContent = answer.note ?? "";
  at("note").hidden = answer.note === null;
  at("places").replaceChildren(...answer.items.map((item) => place(item, answer, actions)));
  at("none").hidden = answer.items.length > 0;
  const count = answer.items.length;
  say(`${whose}: ${count === 1 ? "one product" : `${count} products`}.`);
}

function place(item, answer, actions) {
  const badge = { new: ["cold", "new"], again: ["good", "again"] }[item.kind];
  const about = [item.category, item.name && item.product].filter(Boolean).join(" · ");
  const made = element(
    "li",
    {},
    element("span", { class: "rank" }, String(item.rank)),
    element(
      "div",
      {},
      element(
        "h3",
        {},
        `${nameOf(item)} `, // read aloud, words need spaces
        badge ? element("span", { class: `badge ${badge[0]}` }, badge[1]) : null,
        about === "" ? null : element("small", {}, ` ${about}`),
      ),
      element("p", {}, item.why?.sentence ?? BY_SOURCE[item.source]),
    ),
  );
  if (actions !== null) made.append(actions(item, answer, made));
  return made;
}
