/** Requests to the service. */

import { Trouble, fromFailure, fromNonsense, fromResponse } from "./trouble.js";

/** Where the service is: above the folder of this module, wherever a proxy has it. */
export const BASE = new URL("..", import.meta.url);
export const SLOW_SECONDS = 15;

/**
 * What the service answers: { body, headers, milliseconds }. body: an object, or with `lines` an array of them.
 * `slow` is called once if that takes longer than SLOW_SECONDS. Throws Trouble.
 */
export async function ask(path, { key, slow = () => {}, lines = false, headers = {}, ...options }) {
  const started = performance.now();
  const watch = setTimeout(slow, SLOW_SECONDS * 1000);
  try {
    const response = await fetch(new URL(path, BASE), { ...options, headers: { ...headers, "X-API-Key": key } });
    const text = await response.text();
    if (!response.ok) throw fromResponse(response, text);
    const body = read(text, lines, response.status);
    return { body, headers: response.headers, milliseconds: performance.now() - started };
  } catch (error) {
    throw error instanceof Trouble ? error : fromFailure(error);
  } finally {
    clearTimeout(watch);
  }
}

/** POSTs an object. */
export function send(path, body, options) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", body: JSON.stringify(body), headers, ...options });
}

/** POSTs a file in the part `file`, with the other parts of the form. */
export function upload(path, file, parts, options) {
  const form = new FormData();
  Object.entries(parts).forEach(([name, value]) => form.append(name, value));
  form.append("file", file, file.name);
  return ask(path, { method: "POST", body: form, ...options });
}

/** Ends after so many seconds, or with an AbortError. `tick` is called each second with those left. */
export function pause(seconds, { signal, tick = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const end = Date.now() + seconds * 1000;
    const finish = (settle, value) => {
      clearInterval(timer);
      signal?.removeEventListener("abort", abort);
      settle(value);
    };
    const abort = () => finish(reject, new DOMException("", "AbortError"));
    const look = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left > 0) tick(left);
      else finish(resolve);
    };
    const timer = setInterval(look, 250);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    else look();
  });
}

function read(text, lines, status) {
  try {
    if (lines) return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const body = JSON.parse(text);
    if (body !== null && typeof body === "object") return body;
  } catch {
    // What is not JSON is as wrong as what is no object.
  }
  throw fromNonsense(status);
}
