// At the counter: one customer's list, what they say they have, and what came of it.

import { askTenant, at, complain, element, latest, own, randomId, say, signIn } from "./page.js";
import { Picker } from "./picker.js";
import { nameOf, showAnswer } from "./places.js";

const EVENTS = [
  ["Offered", "shown", ""],
  ["Accepted", "accepted", "good"],
  ["Declined", "rejected", "bad"],
];

const next = latest();
const nextCustomers = latest();
const has = new Map(); // product -> its name
const names = new Map(); // customer -> name, of those who were proposed
let customer = null;

const named = (one) => (names.get(one) ? `${names.get(one)} (${one})` : `Customer ${one}`);

// What was typed is an id, or a name that only one of the proposed customers has.
function customerOf(typed) {
  const same = [...names].filter(([, name]) => name?.toLowerCase() === typed.toLowerCase());
  return names.has(typed) || same.length !== 1 ? typed : same[0][0];
}

async function showList() {
  const kind = document.querySelector("input[name=kind]:checked").value;
  const signal = next();
  try {
    const answer =
      has.size === 0
        ? await askTenant(
            `customers/${encodeURIComponent(customer)}/recommendations?explain=true&kind=${kind}`,
            { signal },
          )
        : await askTenant("recommendations", { signal, body: { customer, products: [...has.keys()] } });
    complain(null);
    // What is said counts at once, and then everything is new to them.
    at("kinds").disabled = has.size > 0;
    showAnswer(answer, named(customer), own.scopes.includes("events") ? buttons : null);
  } catch (error) {
    complain(error);
  }
}

function buttons(item, answer, place) {
  const made = EVENTS.map(([words, kind, look]) => {
    const id = randomId(); // sent again after trouble, it is still the same event
    const button = element(
      "button",
      { type: "button", class: look, "aria-pressed": "false", "aria-label": `${words}: ${nameOf(item)}` },
      words,
    );
    button.addEventListener("click", async () => {
      if (button.getAttribute("aria-pressed") === "true") return;
      try {
        const event = { id, kind, product: item.product, customer, answer: answer.id, position: item.rank };
        const told = await askTenant("events", { body: { events: [event] } });
        if (told.events[0].status === "refused") throw new Error(told.events[0].detail);
        button.setAttribute("aria-pressed", "true");
        place.classList.toggle("declined", kind === "rejected");
        complain(null);
        say(`${words}: ${nameOf(item)}.`);
      } catch (error) {
        complain(error);
      }
    });
    return button;
  });
  return element("div", { class: "buttons", role: "group", "aria-label": nameOf(item) }, ...made);
}

function drawHas() {
  at("has").replaceChildren(
    ...[...has].map(([product, name]) =>
      element(
        "li",
        {},
        element(
          "button",
          {
            type: "button",
            "aria-label": `Take away ${name}`,
            onclick: () => {
              has.delete(product);
              drawHas();
              showList();
            },
          },
          `${name} ×`,
        ),
      ),
    ),
  );
}

async function proposeCustomers() {
  const query = at("customer").value.trim();
  try {
    const path = `customers?query=${encodeURIComponent(query)}&limit=20`;
    const told = await askTenant(path, { signal: nextCustomers() });
    for (const one of told.customers) names.set(one.customer, one.name);
    at("customers").replaceChildren(
      ...told.customers.map((one) => element("option", { value: one.customer }, one.name ?? "")),
    );
  } catch (error) {
    complain(error);
  }
}

at("customer").addEventListener("input", proposeCustomers);
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  customer = customerOf(at("customer").value.trim());
  if (customer === "") return;
  has.clear();
  drawHas();
  showList();
});
at("kinds").addEventListener("change", showList);
new Picker(at("picker"), "Product", (one) => {
  has.set(one.product, nameOf(one));
  drawHas();
  showList();
});

signIn(async () => {
  at("no-events").hidden = own.scopes.includes("events");
  at("customer").focus();
  await proposeCustomers();
});
