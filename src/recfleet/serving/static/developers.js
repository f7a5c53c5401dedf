// The OpenAPI document as a page, with lines to copy for this tenant.

import { ask, at, complain, element, own, say, signIn } from "./page.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function copyable(text) {
  const button = element("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      say("Copied.");
      setTimeout(() => (button.textContent = "Copy"), 2000);
    } catch {
      button.textContent = "Select it";
    }
  });
  return element("div", { class: "line" }, element("pre", { tabindex: "0" }, text), button);
}

// The value that a path's part or a parameter gets in a line.
function sample(parameter) {
  if (parameter.name === "tenant" && own !== null) return own.tenant;
  return String(parameter.example ?? parameter.schema?.example ?? parameter.schema?.default ?? "…");
}

function curl(path, method, operation) {
  const inPath = new Map(
    (operation.parameters ?? []).filter((one) => one.in === "path").map((one) => [one.name, sample(one)]),
  );
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(inPath.get(name)));
  const needed = (operation.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const query = needed.map((one) => `${one.name}=${encodeURIComponent(sample(one))}`).join("&");
  const example = Object.values(operation.requestBody?.content ?? {})[0]?.example;
  const lines = [
    `curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`} -H "Authorization: Bearer $KEY"`,
    ...(example === undefined
      ? []
      : [`-H "Content-Type: application/json" -d ${quoted(JSON.stringify(example))}`]),
    quoted(`${location.origin}${filled}${query === "" ? "" : `?${query}`}`),
  ];
  return lines.join(" \\\n  ");
}

function table(titles, rows) {
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...titles.map((text) => element("th", { scope: "col" }, text)))),
    element(
      "tbody",
      {},
      ...rows.map(([first, ...others]) =>
        element("tr", {}, element("th", { scope: "row" }, first), ...others.map((text) => element("td", {}, text))),
      ),
    ),
  );
}

const type = (schema) =>
  schema.enum?.join(", ") ??
  (schema.type === "array" ? `several ${schema.items?.type ?? ""}`.trim() : (schema.type ?? schema.const ?? ""));

// The fields of a body or an answer, as their schema has them; those of its parts follow.
function fields(schema, known, before = "") {
  const named = schema?.$ref ? known[schema.$ref.split("/").pop()] : schema;
  return Object.entries(named?.properties ?? {}).flatMap(([name, field]) => {
    const ways = field.anyOf ?? [field];
    const parts = ways.map((one) => (one.type === "array" ? one.items : one)).filter((one) => one?.$ref);
    const kinds = ways.map((one) =>
      one.$ref ? "object" : one.type === "array" && one.items?.$ref ? "several objects" : type(one),
    );
    const several = kinds.includes("several objects") ? "[]" : "";
    return [
      [`${before}${name}`, kinds.join(" or "), (field.description ?? "").replaceAll("``", "")],
      ...parts.flatMap((part) => fields(part, known, `${before}${name}${several}.`)),
    ];
  });
}

function operationOf(path, method, operation, known) {
  const parameters = (operation.parameters ?? []).map((one) => [
    one.name,
    `${type(one.schema)}${one.required ? "" : one.schema.default === undefined ? ", may be left out" : `, default ${JSON.stringify(one.schema.default)}`}`,
    one.description ?? "",
  ]);
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const good = operation.responses["200"];
  const answer = Object.values(good?.content ?? {})[0]?.schema;
  const problems = Object.entries(operation.responses).filter(([status]) => status !== "200");
  return element(
    "section",
    { class: "operation", "aria-labelledby": operation.operationId },
    element(
      "h2",
      { id: operation.operationId },
      element("span", { class: "method" }, method.toUpperCase()),
      element("code", {}, path.replace("/v1/tenants/{tenant}", "") || path),
    ),
    element("p", {}, `${operation.summary} ${operation.description ?? ""}`.trim()),
    copyable(curl(path, method, operation)),
    parameters.length === 0
      ? null
      : element("details", {}, element("summary", {}, "Parameters"), table(["name", "value", "meaning"], parameters)),
    body === undefined
      ? null
      : element("details", {}, element("summary", {}, "Body"), table(["field", "value", "meaning"], fields(body, known))),
    element(
      "details",
      {},
      element("summary", {}, "Answer"),
      answer === undefined ? null : table(["field", "value", "meaning"], fields(answer, known)),
      table(["status", "meaning"], problems.map(([status, one]) => [status, one.description])),
    ),
  );
}

async function draw() {
  const told = await ask("/openapi.json");
  at("first-line").replaceChildren(copyable("read -rs KEY    # paste your key, then press Enter"));
  at("operations").replaceChildren(
    ...Object.entries(told.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) =>
        operationOf(path, method, operation, told.components.schemas),
      ),
    ),
  );
}

signIn(draw).then(() => (own === null ? draw().catch(complain) : undefined));
