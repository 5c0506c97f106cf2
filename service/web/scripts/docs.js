/** The OpenAPI document, shown by Swagger UI, with the same key as the page. */

import { BASE } from "./ask.js";
import { KEPT } from "./key.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const keep = document.getElementById("keep");

function darken() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

/** A plugin that keeps the key that somebody authorizes with, if that is wanted. */
function keeping() {
  const remember = (original) => (payload) => {
    const given = Object.values(payload).map((authorization) => authorization.value).find((value) => typeof value === "string");
    if (given && keep.checked) sessionStorage.setItem(KEPT, given);
    return original(payload);
  };
  const forget = (original) => (names) => {
    sessionStorage.removeItem(KEPT);
    return original(names);
  };
  return { statePlugins: { auth: { wrapActions: { authorize: remember, logout: forget } } } };
}

async function show() {
  const response = await fetch(new URL("openapi.json", BASE));
  const spec = { ...(await response.json()), servers: [{ url: BASE.href.replace(/\/$/, "") }] };
  const kept = sessionStorage.getItem(KEPT);
  keep.checked = kept !== null;
  const viewer = SwaggerUIBundle({
    spec,
    dom_id: "#docs",
    deepLinking: true,
    // Without this the viewer would ask a server on the internet to check the document.
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [keeping],
    onComplete: () => kept && viewer.preauthorizeApiKey("bearer", kept),
  });
}

keep.addEventListener("change", () => keep.checked || sessionStorage.removeItem(KEPT));
dark.addEventListener("change", darken);
darken();
await show();
