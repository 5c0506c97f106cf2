"use strict";

// What addresses begin with: the folder above this script's, wherever a proxy has it.
const root = new URL("..", document.currentScript.src);

const byId = (id) => document.getElementById(id);
const [form, key, abstract, count, send, status, scores] =
  ["form", "key", "abstract", "count", "send", "status", "scores"].map(byId);

function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

function row(label, score, chosen) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const bar = document.createElement("meter");
  const value = document.createElement("span");
  name.textContent = label;
  bar.value = score;
  bar.setAttribute("aria-label", label);
  value.textContent = score.toFixed(3);
  value.className = "value";
  item.classList.toggle("chosen", chosen);
  item.append(name, bar, value);
  return item;
}

function show(answer, milliseconds) {
  const chosen = new Set(answer.categories.map((category) => category.label));
  const ranked = answer.labels
    .map((label, index) => [label, answer.predictions[0][index]])
    .sort((left, right) => right[1] - left[1]);
  scores.replaceChildren(...ranked.map(([label, score]) => row(label, score, chosen.has(label))));
  const origin = answer.cached ? "from the store" : "from the model";
  say(`${answer.model}, ${origin}, ${milliseconds.toFixed(0)} ms`);
}

function explain(problem) {
  const fields = Object.entries(problem.errors || {}).map(([field, messages]) => `${field}: ${messages.join(" ")}`);
  if (fields.length) return fields.join(" ");
  return [problem.detail || problem.title, problem.remedy && `Remedy: ${problem.remedy}.`].filter(Boolean).join(" ");
}

async function classify(event) {
  event.preventDefault();
  scores.replaceChildren();
  say("…");
  send.disabled = true;
  const started = performance.now();
  try {
    const response = await fetch(new URL("api/predict/", root), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-API-Key": key.value.trim() },
      body: JSON.stringify({ abstract: abstract.value }),
    });
    const answer = await response.json();
    if (response.ok) show(answer, performance.now() - started);
    else say(explain(answer), true);
  } catch (error) {
    say(`The service did not answer: ${error.message}`, true);
  } finally {
    send.disabled = false;
  }
}

abstract.addEventListener("input", () => {
  count.textContent = `${[...abstract.value.trim()].length} characters (50 to 5000)`;
});
form.addEventListener("submit", classify);
