/** Tables of papers, and files made of them. */

import { make } from "./dom.js";

/** { box, body }: a table that can be scrolled where it is too wide, by keyboard, too; `body` takes its rows. */
export function makeTable(caption, columns) {
  const head = make("tr", {}, ...columns.map((name) => make("th", { scope: "col", textContent: name })));
  const body = make("tbody");
  const table = make("table", {}, make("caption", { className: "unseen", textContent: caption }), make("thead", {}, head), body);
  const box = make("div", { className: "scrolled", tabIndex: 0, role: "group", ariaLabel: caption }, table);
  return { box, body };
}

/** A row whose first cell is its header. */
export function makeRow([header, ...cells]) {
  const first = make("th", { scope: "row" }, header);
  return make("tr", {}, first, ...cells.map((cell) => make("td", {}, cell)));
}

/** The labels of an answer with their scores, in words. */
export function labels({ categories }) {
  return categories.map(({ label, score }) => `${label} ${score.toFixed(2)}`).join(", ") || "none";
}

/** What is to be known of a result besides its labels. */
export function notes({ problem, warnings = [], truncated, tokens, tokens_read: read }) {
  if (problem) return [problem.place, reasons(problem)].filter(Boolean).join(": ");
  const said = warnings.map((warning) => warning.detail);
  return [...said, ...(truncated ? [`The first ${read} of ${tokens} tokens were read.`] : [])].join(" ");
}

function reasons(problem) {
  const named = Object.values(problem.errors || {}).flat();
  return (named.length ? named : [problem.detail]).join(" ");
}

/** Columns in front of the scores, as `abstracts predict --output FILE.csv` has them. */
const FIRST = ["row", "input_id", "categories", "warnings", "truncated", "cached", "problem", "id", "model", "model_digest"];

/** The results of a job as CSV (RFC 4180): a row a paper, with a score a label. */
export function asCsv(results) {
  const names = results.find((result) => result.labels)?.labels || [];
  const head = [...FIRST, ...names.map((name) => `score ${name}`)];
  return [head, ...results.map((result, index) => cells(result, index + 1, names))].map(line).join("");
}

function cells(result, row, names) {
  const scores = result.labels ? result.predictions[0] : names.map(() => "");
  const own = {
    ...result,
    row,
    categories: (result.categories || []).map((category) => category.label).join(";"),
    warnings: (result.warnings || []).map((warning) => warning.code).join(";"),
    problem: result.problem ? notes(result) : "",
  };
  return [...FIRST.map((name) => own[name] ?? ""), ...scores];
}

function line(values) {
  const quoted = values.map(String).map((value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value));
  return `${quoted.join(",")}\r\n`;
}
