/** The API key: cleaned of what was copied along, shown or hidden, kept in this tab if that is wanted. */

import { byId } from "./dom.js";

/** Where the page and /docs keep it, in sessionStorage. */
export const KEPT = "abstracts-key";

const INVISIBLE = /[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u2064\uFEFF]/g;
const QUOTES = /^[\s"'`<“”‘’„«]+|[\s"'`>,;“”‘’»]+$/g;
const BEFORE = /^(?:-H\s*)?["']?(?:(?:authorization|x-api-key)\s*[:=]\s*)?(?:bearer\s+)?/i;

/** { key, fault }: the key in a text that was pasted, and what is wrong with it, or "". */
export function clean(text) {
  const bare = text.replace(INVISIBLE, "").replace(QUOTES, "").replace(BEFORE, "").replace(QUOTES, "");
  const key = bare.replace(/\s+/g, "");
  return { key, fault: faultOf(key) };
}

function faultOf(key) {
  if (!key) return "Paste your API key here.";
  const characters = [...key];
  const place = characters.findIndex((character) => !/[0-9A-Za-z_]/.test(character));
  if (place < 0) return "";
  const stray = characters[place];
  const code = stray.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return `No key has the character “${stray}” (U+${code}), which is at place ${place + 1}. Paste the key again, whole.`;
}

/** Wires the field; `changed` is called with each new key that looks like one. */
export function wireKey(changed) {
  const [field, keep, toggle] = ["key", "keep", "key-show"].map(byId);
  toggle.addEventListener("click", () => {
    const hidden = field.type === "text";
    field.type = hidden ? "password" : "text";
    toggle.textContent = hidden ? "Show key" : "Hide key";
  });
  keep.addEventListener("change", remember);
  field.addEventListener("change", () => {
    const { key, fault } = readKey();
    if (!fault) changed(key);
  });
  const kept = sessionStorage.getItem(KEPT);
  if (kept === null) return;
  field.value = kept;
  keep.checked = true;
  changed(kept);
}

/** { key, fault } of the field, which then holds the key and nothing else. */
export function readKey() {
  const found = clean(byId("key").value);
  byId("key").value = found.key;
  remember();
  return found;
}

function remember() {
  const { key, fault } = clean(byId("key").value);
  if (byId("keep").checked && !fault) sessionStorage.setItem(KEPT, key);
  else sessionStorage.removeItem(KEPT);
}
