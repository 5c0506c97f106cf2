/** Requests and answers to take along. The key is never in them. */

import { ask, BASE } from "./ask.js";
import { byId, save, showText } from "./dom.js";

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as a line for a shell, which has the key in $KEY. */
export function asCurl({ path, body }) {
  return [
    `curl ${shell(new URL(path, BASE).href)} \\`,
    `  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\`,
    `  -d ${shell(JSON.stringify(body))}`,
    "",
  ].join("\n");
}

/** The request in Python. A JSON object of texts and numbers is one of Python's, too. */
export function asPython({ path, body }) {
  return `import os

import requests

answer = requests.post(
    ${JSON.stringify(new URL(path, BASE).href)},
    headers={"Authorization": f"Bearer {os.environ['KEY']}"},
    json=${JSON.stringify(body)},
    timeout=30,
)
answer.raise_for_status()
for category in answer.json()["categories"]:
    print(category["label"], category["score"])
`;
}

/** Wires the buttons. `shown` gives { request, answer } as they stand, `key` the key, `tell` announces. */
export function wireCopies(shown, key, tell) {
  const json = () => `${JSON.stringify(shown().answer, null, 2)}\n`;
  byId("copy-curl").addEventListener("click", () => copy("Copy as curl", asCurl(shown().request), tell));
  byId("copy-python").addEventListener("click", () => copy("Copy as Python", asPython(shown().request), tell));
  byId("copy-json").addEventListener("click", () => copy("Copy JSON", json(), tell));
  byId("save-json").addEventListener("click", () => save(`${shown().answer.id.slice(0, 12)}.json`, "application/json", json()));
  byId("stored").addEventListener("click", () => stored(shown().answer.id, key(), tell));
  byId("dialog-close").addEventListener("click", () => byId("dialog").close());
}

async function copy(title, text, tell) {
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied.");
  } catch {
    // Without https, or without leave, there is no clipboard: then it is copied by hand.
    showText(`${title}: press Ctrl+C`, text, true);
  }
}

/** Shows the stored prediction as its address has it, which needs the key. */
async function stored(id, key, tell) {
  const path = `api/predictions/${id}`;
  try {
    const { body } = await ask(path, { key });
    showText(`GET /${path}`, JSON.stringify(body, null, 2));
  } catch (trouble) {
    tell(trouble.message, true);
  }
}
