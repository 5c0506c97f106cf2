/** The scores of an answer as bars, with the threshold over them. */

import { byId, counted, make } from "./dom.js";

/** Rows to begin with. */
const AT_FIRST = 20;

/** Labels with their scores, best first; `chosen` as the API chooses: at or above the threshold, at most top_k. */
export function rank(labels, scores, threshold, topK) {
  const ranked = labels.map((label, index) => ({ ...label, score: scores[index] }));
  ranked.sort((left, right) => right.score - left.score);
  return ranked.map((label, place) => ({ ...label, chosen: label.score >= threshold && place < (topK ?? Infinity) }));
}

/** Draws what `rank` gives. threshold null: without its line. `titled` gives the title of a group. */
export function drawScores(ranked, { threshold, all, titled }) {
  const shown = all ? ranked : ranked.filter((label, place) => place < AT_FIRST || label.chosen);
  const groups = grouped(shown);
  const box = byId("scores");
  box.style.setProperty("--threshold", threshold ?? 0);
  box.classList.toggle("without-line", threshold === null);
  const lists = groups.flatMap(([group, labels]) => [...(group ? [make("h3", { textContent: titled(group) })] : []), list(labels)]);
  box.replaceChildren(...(threshold === null ? [] : [scale(threshold)]), ...lists);
  const more = byId("more");
  more.hidden = shown.length === ranked.length;
  more.textContent = `Show all ${counted(ranked.length, "label")}`;
}

/** [group, labels], the group of the best label first; labels without a group are together. */
function grouped(ranked) {
  const groups = new Map();
  ranked.forEach((label) => groups.set(label.group, [...(groups.get(label.group) || []), label]));
  return [...groups];
}

function scale(threshold) {
  const mark = make("span", { className: "mark", textContent: `threshold ${threshold.toFixed(2)}` });
  return make("div", { className: "scale" }, make("span", { className: "track" }, mark));
}

const list = (labels) => make("ol", { className: "bars" }, ...labels.map(row));

function row({ code, name, url, score, chosen }) {
  const title = make("span", { className: "name", textContent: name || code });
  const named = url ? make("a", { href: url, rel: "noreferrer" }, title) : title;
  const label = make("span", { className: "label" }, named, ...(name ? [" ", make("span", { className: "code", textContent: code })] : []));
  const fill = make("span", { className: "fill" });
  fill.style.setProperty("--score", score);
  const track = make("span", { className: "track" }, fill);
  track.setAttribute("aria-hidden", "true");
  const value = make("span", { className: "value", textContent: score.toFixed(3) });
  const mark = make("span", { className: "chosen-mark" }, ...(chosen ? ["✓", make("span", { className: "unseen", textContent: " chosen" })] : []));
  return make("li", { className: chosen ? "chosen" : "" }, label, track, value, mark);
}
