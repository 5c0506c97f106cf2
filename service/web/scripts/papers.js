/** PDFs: each paper's abstract is found, shown and classified. */

import { pause, upload } from "./ask.js";
import { byId, counted, make } from "./dom.js";
import { showSeconds, tell } from "./form.js";
import { labels, makeRow, makeTable, notes } from "./table.js";

/** How often a paper is sent again when the service is busy or a limit is used up. */
const ATTEMPTS = 5;
/** Below this an abstract may well be something else (docs/pdf.md). */
const SURE = 0.6;

const METHODS = { heading: "under its heading", "run-in": "where the word stands before it", layout: "by its place and form" };

/**
 * What became of the PDFs, each asked about in turn. `show(answered, note)` is called with the first that has an answer,
 * and with others on request. Throws Trouble where the next paper would fare no better.
 */
export async function askAboutPapers(files, parts, { show, ...options }) {
  const table = makeTable("Papers", ["File", "Page", "Confidence", "Labels", "Notes", "Abstract"]);
  byId("papers").replaceChildren(make("h2", { textContent: "Papers" }), table.box);
  byId("papers").hidden = false;
  const rows = files.map((file) => makeRow([file.name, "", "", "", "waiting", ""]));
  table.body.replaceChildren(...rows);
  const told = [];
  for (const [index, file] of files.entries()) {
    tell(`Reading ${file.name}, ${index + 1} of ${files.length}…`);
    const answered = await askAboutPaper(file, parts, options, rows[index]);
    if (answered === null) continue;
    const showIt = () => show(answered, describe(file, answered.body));
    told.push(told.length ? "" : showIt());
    offer(rows[index], () => tell(showIt()));
  }
  return `${told.length} of ${counted(files.length, "paper")} read. ${told[0] || ""}`;
}

/** The answer, or null if the paper has none; the row says it. */
async function askAboutPaper(file, parts, options, row, attempt = 1) {
  try {
    const answered = await upload("api/predict/pdf", file, parts, options);
    const { page, confidence } = answered.body.extraction;
    fillRow(row, [page, confidence.toFixed(2), labels(answered.body), notes(answered.body)]);
    return answered;
  } catch (trouble) {
    fillRow(row, ["", "", "", trouble.message]);
    if (trouble.seconds !== null && attempt < ATTEMPTS) {
      await waitFor(trouble.seconds, options.signal);
      return askAboutPaper(file, parts, options, row, attempt + 1);
    }
    if ([0, 401, 403].includes(trouble.status)) throw trouble;
    return null;
  }
}

async function waitFor(seconds, signal) {
  try {
    await pause(seconds, { signal, tick: showSeconds("It goes on") });
  } finally {
    byId("countdown").textContent = "";
  }
}

function fillRow(row, values) {
  values.forEach((value, index) => (row.cells[index + 1].textContent = value));
}

function offer(row, show) {
  const button = make("button", { type: "button", textContent: "Show" });
  button.append(make("span", { className: "unseen", textContent: ` that of ${row.cells[0].textContent}` }));
  button.addEventListener("click", show);
  row.cells[5].replaceChildren(button);
}

/** Where an abstract comes from, and how far to trust that. */
function describe(file, { extraction: { page, method, confidence } }) {
  const doubt = confidence < SURE ? " Look twice: it may be something else." : "";
  const found = `Found in ${file.name} on page ${page}, ${METHODS[method] || method}, confidence ${confidence.toFixed(2)}.`;
  return `${found}${doubt} Correct it where it is wrong, and classify it again.`;
}
