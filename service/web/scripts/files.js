/** Files that are chosen or dropped: papers as PDFs, or lists of abstracts. */

import { byId, counted } from "./dom.js";
import { neededKey, tell, working } from "./form.js";
import { startJob } from "./jobs.js";
import { askAboutPapers } from "./papers.js";
import { Trouble } from "./trouble.js";

/** Wires choosing, dropping and sending. `parts` gives what is asked besides; `show` shows a paper's answer. */
export function wireFiles(models, parts, show) {
  const field = byId("files");
  byId("send-files").addEventListener("click", () => sendFiles([...field.files], models, parts, show));
  field.addEventListener("change", announce);
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    announce();
  });
}

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");

function announce() {
  const names = [...byId("files").files].map((file) => file.name);
  if (names.length) tell(`${counted(names.length, "file")} to send: ${names.join(", ")}. Press “Classify the files”.`);
}

function sendFiles(files, models, parts, show) {
  return working("Sending…", async (signal, slow) => {
    if (!files.length) throw named("Choose a file first, or drop one on this page.");
    const key = neededKey();
    await models.load(key);
    const options = { key, signal, slow };
    const papers = await chosen(files, isPdf);
    const lists = files.filter((file) => !papers.includes(file));
    const told = [];
    if (papers.length) told.push(await askAboutPapers(papers, parts(), { ...options, show }));
    for (const file of lists) told.push(await sendList(file, parts(), options));
    tell(told.join(" "));
  });
}

/** What became of a file with a list. Throws Trouble with the file's name. */
async function sendList(file, parts, options) {
  try {
    tell(`Sending ${file.name}…`);
    const { total } = await startJob(file, parts, options);
    return `${file.name} has become a job of ${counted(total, "abstract")}; its results appear below.`;
  } catch (trouble) {
    if (!(trouble instanceof Trouble) || [0, 401, 403].includes(trouble.status)) throw trouble;
    const words = trouble.message;
    throw named(words.startsWith(file.name) ? words : `${file.name}: ${words}`, trouble);
  }
}

const named = (words, { status = 0, seconds = null } = {}) => new Trouble(words, { fields: { files: words }, status, seconds });

/** Those of the files for which a test holds, which is a promise. */
async function chosen(files, test) {
  const held = await Promise.all(files.map(test));
  return files.filter((_, index) => held[index]);
}

/** A PDF has its mark within the first 1024 bytes. */
const isPdf = async (file) => /%PDF-/.test(await file.slice(0, 1024).text());
