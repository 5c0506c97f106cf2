/** What an answer says besides its scores. */

import { byId, counted, duration, make } from "./dom.js";

const POLICIES = { ip: "requests from this address", key: "requests with this key", inference: "model runs" };

/** What a score means, by the activation of the model. */
const MEANINGS = {
  sigmoid:
    "A score is a calibrated probability: of the papers with 0.70 for a label, about 70 in 100 carry it. " +
    "A paper may carry several labels, so the scores need not add up to 1.",
  softmax:
    "A score is a calibrated probability: of the papers with 0.70 for a label, about 70 in 100 have it as their first. " +
    "A paper has one such label, so the scores add up to 1.",
};

/** "from the store" or "from the model". */
export const origin = (answer) => (answer.cached ? "from the store" : "from the model");

/** Fills the part around the scores. `answered`: what `ask` gives; `model`: its description, or null. */
export function drawFacts({ body, headers, milliseconds }, model) {
  byId("meaning").textContent = MEANINGS[model?.activation] || "A score is between 0 and 1; the higher, the likelier the label.";
  const warnings = body.warnings || [];
  byId("warnings").hidden = !warnings.length;
  byId("warnings").replaceChildren(...warnings.map(({ detail }) => make("li", { textContent: detail })));
  const facts = [
    ["Model", body.model],
    ["Answer", `${origin(body)}, in ${milliseconds.toFixed(0)} ms${age(headers)}${work(headers)}`],
    ["Read", reading(body)],
    ["Left", limits(headers)],
  ];
  byId("facts").replaceChildren(
    ...facts.filter(([, fact]) => fact).flatMap(([name, fact]) => [make("dt", { textContent: name }), make("dd", { textContent: fact })]),
  );
}

/** How much of the text the model read; "" if all. */
export function reading({ truncated, tokens, tokens_read: read }) {
  return truncated ? `the first ${read.toLocaleString("en")} of ${counted(tokens, "token")}; the model reads no more` : "";
}

function age(headers) {
  const seconds = headers.get("Age");
  return seconds === null ? "" : `; stored ${duration(Number(seconds))} ago`;
}

/** The model's own time, as Server-Timing has it. */
function work(headers) {
  const found = /(?:^|,\s*)model;dur=([\d.]+)/.exec(headers.get("Server-Timing") || "");
  return found ? `; the model took ${Number(found[1]).toFixed(0)} ms` : "";
}

/** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10) in words. */
export function limits(headers) {
  const quotas = new Map(items(headers.get("RateLimit-Policy")).map(({ name, q }) => [name, q]));
  const bySeconds = new Map();
  items(headers.get("RateLimit")).forEach(({ name, r, t }) => {
    const of = quotas.has(name) ? ` of ${quotas.get(name).toLocaleString("en")}` : "";
    bySeconds.set(t, [...(bySeconds.get(t) || []), `${r.toLocaleString("en")}${of} ${POLICIES[name] || name}`]);
  });
  return [...bySeconds].map(([t, left]) => `${left.join(", ")}; full again in ${counted(t, "second")}`).join(". ");
}

/** '"ip";r=11;t=5, …' as [{ name: "ip", r: 11, t: 5 }, …]. */
function items(header) {
  return [...(header || "").matchAll(/"([^"]*)"((?:;\w+=\d+)*)/g)].map(([, name, parameters]) => ({
    name,
    ...Object.fromEntries([...parameters.matchAll(/;(\w+)=(\d+)/g)].map(([, key, value]) => [key, Number(value)])),
  }));
}
