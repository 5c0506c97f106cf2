/** The form: what is asked, what is wrong with it, and how far the work on it is. One piece of work at a time. */

import { pause, SLOW_SECONDS } from "./ask.js";
import { byId } from "./dom.js";
import { readKey } from "./key.js";
import { Trouble } from "./trouble.js";

const FIELDS = ["key", "abstract", "files", "model", "top_k", "threshold"];
const SENDERS = ["send", "send-files"];

let controller = null;
let counting = null;

/** Announces a text. Focus stays where it is. */
export function tell(text, bad = false) {
  byId("status").textContent = bad ? `Problem: ${text}` : text;
  byId("status").classList.toggle("bad", bad);
}

/** The key. Throws Trouble if there is none, or one that cannot be right. */
export function neededKey() {
  const { key, fault } = readKey();
  if (fault) throw new Trouble(fault, { fields: { key: fault } });
  return key;
}

/** Does `work(signal, slow)`, which may be cancelled, and tells what goes wrong with it. Nothing while other work goes on. */
export async function working(text, work) {
  if (controller) return;
  const { signal } = (controller = new AbortController());
  const slow = () => tell(`No answer after ${SLOW_SECONDS} seconds. The service may be busy: wait, or cancel.`);
  begin(text);
  try {
    await work(signal, slow);
  } catch (error) {
    fail(signal.aborted ? new Trouble("Cancelled.") : error);
  } finally {
    finish();
  }
}

/** Tells what is wrong, at the fields, too, and counts down to when it may be sent again. */
export function fail(error) {
  if (!(error instanceof Trouble)) {
    tell(`This page has failed: ${error.message}. Load it again.`, true);
    throw error;
  }
  mark(error.fields);
  tell(error.message, error.message !== "Cancelled.");
  if (error.seconds !== null) countDown(error.seconds);
}

/** Shows the seconds left until something happens: each is seen, none is announced. */
export function showSeconds(text) {
  return (left) => (byId("countdown").textContent = `${text} in ${left} s.`);
}

/** Cancel, Ctrl+Enter, and all that stops being wrong when it is changed. */
export function wireForm() {
  byId("cancel").addEventListener("click", () => controller?.abort());
  byId("form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
  });
  FIELDS.forEach((name) => byId(name).addEventListener("input", () => unmark(name)));
}

function begin(text) {
  counting?.abort();
  FIELDS.forEach(unmark);
  SENDERS.forEach((name) => byId(name).setAttribute("aria-disabled", "true"));
  byId("cancel").hidden = false;
  tell(text);
}

function finish() {
  controller = null;
  SENDERS.forEach((name) => byId(name).removeAttribute("aria-disabled"));
  if (document.activeElement === byId("cancel")) byId("send").focus();
  byId("cancel").hidden = true;
}

async function countDown(seconds) {
  counting = new AbortController();
  try {
    await pause(seconds, { signal: counting.signal, tick: showSeconds("You can send it again") });
    tell("You can send it again now.");
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  } finally {
    byId("countdown").textContent = "";
  }
}

function mark(fields) {
  FIELDS.filter((name) => fields[name]).forEach((name) => {
    byId(name).setAttribute("aria-invalid", "true");
    byId(`${name}-error`).textContent = fields[name];
  });
}

function unmark(name) {
  byId(name).removeAttribute("aria-invalid");
  byId(`${name}-error`).textContent = "";
}
