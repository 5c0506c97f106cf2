/** The page: a text is asked about, its answer is shown. */

import { send } from "./ask.js";
import { drawFacts, origin, reading } from "./answer.js";
import { wireCopies } from "./copies.js";
import { byId } from "./dom.js";
import { wireFiles } from "./files.js";
import { fail, neededKey, tell, wireForm, working } from "./form.js";
import { readKey, wireKey } from "./key.js";
import { describeLabels, groupTitle, Models } from "./models.js";
import { drawScores, rank } from "./scores.js";

const models = new Models();
/** The answer on the page: { request: { path, body }, answered, all }; null before the first. */
let shown = null;
/** The threshold as it was chosen; null: the model's own. */
let threshold = null;

const topK = () => (byId("top_k").value === "" ? null : Number(byId("top_k").value));
const own = (model) => model?.threshold ?? null;

/** What is asked besides the text: what differs from the defaults. */
function options() {
  const chosen = { threshold, top_k: topK() };
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== null));
}

/** The same as parts of a form or of a query. */
function parts() {
  const model = models.chosen();
  return model && !model.default ? { ...options(), model: model.name } : options();
}

/** A paper's answer, with its abstract where it can be corrected. */
function showPaper(answered, note) {
  fill(answered.body.abstract, note);
  return show(requestFor(answered.body.abstract), answered);
}

/** Path and body of the request for a text. */
function requestFor(abstract) {
  const model = models.chosen();
  const path = model && !model.default ? `api/models/${encodeURIComponent(model.name)}/predict` : "api/predict/";
  return { path, body: { abstract, ...options() } };
}

async function classify(event) {
  event.preventDefault();
  await working("Asking…", async (signal, slow) => {
    const before = shown;
    try {
      const key = neededKey();
      await models.load(key);
      const request = requestFor(byId("abstract").value);
      tell(show(request, await send(request.path, request.body, { key, signal, slow })));
    } finally {
      // Scores of another text beside this one would be taken for its own.
      if (shown === before) byId("result").hidden = true;
    }
  });
}

/** Shows an answer, and returns it in a sentence. */
function show(request, answered) {
  shown = { request, answered, all: false };
  drawFacts(answered, models.named(answered.body.model));
  byId("result").hidden = false;
  const chosen = draw().filter((label) => label.chosen);
  const named = chosen.map(({ code, score }) => `${code} ${score.toFixed(2)}`).join(", ") || "no label reaches the threshold";
  const { body, milliseconds } = answered;
  const notes = [reading(body) && `read ${reading(body)}`, ...(body.warnings || []).map((warning) => warning.detail)];
  return [`${body.model}, ${origin(body)}, ${milliseconds.toFixed(0)} ms: ${named}.`, ...notes].filter(Boolean).join(" ");
}

/** Draws the scores for threshold and top_k as they are; without the model's own threshold, as the service chose. */
function draw() {
  const { body } = shown.answered;
  const model = models.named(body.model);
  const limit = threshold ?? own(model);
  const ranked = rank(describeLabels(body.labels, model), body.predictions[0], limit ?? lowest(body), topK());
  drawScores(ranked, { threshold: limit, all: shown.all, titled: (group) => groupTitle(group, model) });
  return ranked;
}

/** { request, answer } as they stand with the threshold and top_k of now. */
function standing() {
  const { request, answered } = shown;
  const categories = draw().filter((label) => label.chosen).map(({ code, score }) => ({ label: code, score }));
  const body = { abstract: request.body.abstract, ...options() };
  return { request: { path: request.path, body }, answer: { ...answered.body, categories } };
}

const lowest = (body) => Math.min(Infinity, ...body.categories.map((category) => category.score));

function showThreshold() {
  const limit = threshold ?? own(models.chosen());
  if (limit !== null) byId("threshold").value = limit;
  const text = limit === null ? "the model’s own" : `${limit.toFixed(2)}${threshold === null ? ", the model’s own" : ""}`;
  byId("threshold-value").textContent = text;
  byId("threshold").setAttribute("aria-valuetext", text);
  if (shown) draw();
}

function setThreshold(value) {
  threshold = value;
  showThreshold();
}

function countCharacters() {
  const length = [...byId("abstract").value.trim()].length;
  byId("count").textContent = length ? `${length} characters (50 to 5000)` : "50 to 5000 characters";
}

async function loadModels(key) {
  try {
    await models.load(key);
  } catch (error) {
    fail(error);
  }
  byId("model-note").textContent = models.failure && `Which models there are could not be read: ${models.failure}`;
}

function wire() {
  byId("form").addEventListener("submit", classify);
  byId("abstract").addEventListener("input", countCharacters);
  byId("threshold").addEventListener("input", () => setThreshold(Number(byId("threshold").value)));
  byId("threshold-reset").addEventListener("click", () => setThreshold(null));
  byId("model").addEventListener("change", showThreshold);
  byId("top_k").addEventListener("input", () => shown && draw());
  byId("more").addEventListener("click", () => {
    shown.all = true;
    draw();
    byId("scores").querySelector("a")?.focus();
  });
  document.querySelectorAll(".example").forEach((button) => button.addEventListener("click", () => fill(button.value)));
  wireForm();
  wireFiles(models, parts, showPaper);
  wireCopies(standing, () => readKey().key, tell);
  wireKey(loadModels);
}

/** Puts a text into its field, as if it had been typed, and says where it comes from. */
function fill(text, note = "") {
  byId("abstract").value = text;
  byId("abstract-note").textContent = note;
  byId("abstract").dispatchEvent(new Event("input", { bubbles: true }));
}

wire();
