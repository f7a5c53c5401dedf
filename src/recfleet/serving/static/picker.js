// Finds a product by a part of its name or id: a combobox with a list, for mouse and keyboard.

import { askTenant, complain, element, latest } from "./page.js";

const PAUSE_MS = 120;
let number = 0;

export class Picker {
  // `choose` gets { product, name }; `label` says what is looked for.
  constructor(place, label, choose) {
    const id = `picker-${(number += 1)}`;
    this.choose = choose;
    this.next = latest();
    this.found = [];
    this.marked = -1;
    this.input = element("input", {
      id,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: "100",
      placeholder: "A part of its name or id",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": `${id}-list`,
      oninput: () => this.later(),
      onkeydown: (event) => this.press(event),
      onblur: () => setTimeout(() => this.close(), 150),
    });
    this.list = element("ul", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
    place.append(
      element("div", { class: "field picker" }, element("label", { for: id }, label), this.input, this.list),
    );
  }

  later() {
    clearTimeout(this.timer);
    this.found = []; // of what stood there before
    this.timer = setTimeout(() => this.look(), PAUSE_MS);
  }

  async look() {
    const query = this.input.value.trim();
    if (query === "") return this.close();
    try {
      const path = `products?query=${encodeURIComponent(query)}&limit=8`;
      const told = await askTenant(path, { signal: this.next() });
      this.found = told.products;
      this.draw();
    } catch (error) {
      complain(error);
    }
  }

  draw() {
    this.marked = -1;
    this.list.replaceChildren(
      ...this.found.map((one, place) =>
        element(
          "li",
          {
            id: `${this.list.id}-${place}`,
            role: "option",
            "aria-selected": "false",
            onmousedown: (event) => event.preventDefault(),
            onclick: () => this.take(one),
          },
          one.name ?? one.product,
          one.name === null ? null : element("small", {}, ` ${one.product}`),
        ),
      ),
    );
    if (this.found.length === 0)
      this.list.append(
        element("li", { role: "option", "aria-disabled": "true", "aria-selected": "false" }, "No such product"),
      );
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.input.removeAttribute("aria-activedescendant");
  }

  press(event) {
    const last = this.found.length - 1;
    if (event.key === "Escape") return this.close();
    if (event.key === "Enter") {
      event.preventDefault();
      const one = this.found[Math.max(this.marked, 0)];
      if (!this.list.hidden && one !== undefined) this.take(one);
      return;
    }
    if (this.list.hidden || last < 0 || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    this.marked = this.marked + step > last ? 0 : this.marked + step < 0 ? last : this.marked + step;
    [...this.list.children].forEach((line, place) => {
      line.setAttribute("aria-selected", String(place === this.marked));
      if (place === this.marked) line.scrollIntoView({ block: "nearest" });
    });
    this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.marked}`);
  }

  take(one) {
    this.input.value = "";
    this.close();
    this.choose(one);
    this.input.focus();
  }

  close() {
    clearTimeout(this.timer);
    this.next(); // a look under way does not open it again
    this.found = [];
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
