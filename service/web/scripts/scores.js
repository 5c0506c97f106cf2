/** The scores of an answer as bars, with the threshold over them. */

import { byId, counted, make } from "./dom.js";
import { groupName } from "./models.js";

/** Rows to begin with. */
const AT_FIRST = 20;

/** Labels with their scores, best first; `chosen` as the API chooses: at or above the threshold, at most top_k. */
export function rank(labels, scores, threshold, topK) {
  const ranked = labels.map((label, index) => ({ ...label, score: scores[index] }));
  ranked.sort((left, right) => right.score - left.score);
  return ranked.map((label, place) => ({ ...label, chosen: label.score >= threshold && place < (topK ?? Infinity) }));
}

/** Draws what `rank` gives. threshold null: without its line. */
export function drawScores(ranked, threshold, all) {
  const shown = all ? ranked : ranked.filter((label, place) => place < AT_FIRST || label.chosen);
  const groups = grouped(shown);
  const box = byId("scores");
  box.style.setProperty("--threshold", threshold ?? 0);
  box.classList.toggle("without-line", threshold === null);
  box.replaceChildren(...(threshold === null ? [] : [scale(threshold)]), ...groups.flatMap(([name, labels]) => drawGroup(name, labels)));
  const more = byId("more");
  more.hidden = shown.length === ranked.length;
  more.textContent = `Show all ${counted(ranked.length, "label")}`;
}

/** [name, labels] by group, the group of the best label first; or all in one without a name. */
function grouped(ranked) {
  if (ranked.every((label) => label.group === label.code)) return [["", ranked]];
  const groups = new Map();
  ranked.forEach((label) => groups.set(label.group, [...(groups.get(label.group) || []), label]));
  return [...groups];
}

function scale(threshold) {
  const mark = make("span", { className: "mark", textContent: `threshold ${threshold.toFixed(2)}` });
  return make("div", { className: "scale" }, make("span", { className: "track" }, mark));
}

function drawGroup(group, labels) {
  const list = make("ol", { className: "bars" }, ...labels.map(row));
  if (!group) return [list];
  const title = make("h3", { textContent: groupName(group) === group ? group : `${groupName(group)} (${group})` });
  return [title, list];
}

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
