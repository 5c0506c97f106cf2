/** Jobs: a file of abstracts is worked off by the service, followed here, and its results taken along. */

import { ask, pause, upload } from "./ask.js";
import { byId, counted, duration, make, save } from "./dom.js";
import { tell } from "./form.js";
import { asCsv, labels, makeRow, makeTable, notes } from "./table.js";

/** Rows that are drawn at a time. */
const ROWS = 100;
/** Seconds between two questions where the service names none, and the longest wait for an answer. */
const BETWEEN = 2;
const LONGEST = 120;

/** Makes a job of a file and follows it. Returns once it is taken in. Throws Trouble. */
export async function startJob(file, parts, options) {
  const query = new URLSearchParams(parts);
  const { body } = await upload(`api/jobs?${query}`, file, {}, options);
  const job = new Job(file.name, body, options.key);
  byId("jobs").hidden = false;
  byId("jobs").append(job.box);
  job.follow();
  return body;
}

class Job {
  #results = [];
  #drawn = 0;

  constructor(name, state, key) {
    Object.assign(this, { name, state, key });
    this.progress = make("progress", { max: state.total, value: 0, ariaLabel: `Progress of ${name}` });
    this.words = make("p");
    this.table = makeTable(`Results of ${name}`, ["Row", "Your id", "Labels", "Notes"]);
    this.table.box.hidden = true;
    this.cancel = this.#button("Cancel the job", () => this.#end());
    this.more = this.#button("Show more rows", () => this.#draw(ROWS));
    this.csv = this.#button("Download CSV", () => save(this.#file("csv"), "text/csv", asCsv(this.#results)));
    this.json = this.#button("Download JSON", () => save(this.#file("json"), "application/json", this.#asJson()));
    [this.more, this.csv, this.json].forEach((button) => (button.hidden = true));
    const buttons = make("div", { className: "buttons", role: "group", ariaLabel: name }, this.cancel, this.csv, this.json);
    this.box = make("article", {}, make("h3", { textContent: name }), this.words, this.progress, buttons, this.table.box, this.more);
    this.#tell();
  }

  /** Asks how far it is until it is over. An outage is told, and asked through. */
  async follow() {
    let wait = BETWEEN;
    do {
      await pause(wait);
      try {
        wait = await this.#look();
      } catch (trouble) {
        this.words.textContent = trouble.message;
        if ([401, 403, 404].includes(trouble.status)) return this.#stop();
        wait = trouble.seconds ?? BETWEEN;
      }
    } while (wait !== null);
    this.#stop();
    tell(`${this.name}: ${this.words.textContent}`);
  }

  /** The seconds until it makes sense to look again; null when it is over and all results are here. */
  async #look() {
    const { body, headers } = await this.#ask(`api/jobs/${this.state.id}`);
    this.state = body;
    if (body.ready > this.#results.length) await this.#fetch();
    this.#tell();
    const over = ["done", "cancelled"].includes(body.state) && this.#results.length >= body.ready;
    return over ? null : Number(headers.get("Retry-After")) || BETWEEN;
  }

  async #fetch() {
    const { body } = await this.#ask(`api/jobs/${this.state.id}/results?from=${this.#results.length}`, { lines: true });
    this.#results.push(...body);
    this.#draw(Math.max(0, ROWS - this.#drawn));
    this.csv.hidden = this.json.hidden = false;
  }

  async #end() {
    try {
      await this.#ask(`api/jobs/${this.state.id}`, { method: "DELETE" });
      tell(`${this.name} is being cancelled.`);
    } catch (trouble) {
      tell(trouble.message, true);
    }
  }

  #ask(path, options = {}) {
    return ask(path, { key: this.key, signal: AbortSignal.timeout(LONGEST * 1000), ...options });
  }

  #tell() {
    const { state, total, done, problems, seconds_left: left, delayed_until: until } = this.state;
    const parts = [`${state}: ${done.toLocaleString("en")} of ${counted(total, "abstract")}`];
    if (problems) parts.push(counted(problems, "problem"));
    if (until) parts.push(`waits for its limit until ${new Date(until).toLocaleTimeString("en")}`);
    else if (state === "running" && left !== null) parts.push(`about ${duration(Math.ceil(left))} left`);
    this.words.textContent = `${parts.join(", ")}.`;
    this.progress.value = done;
  }

  #draw(number) {
    const rows = this.#results.slice(this.#drawn, this.#drawn + number).map((result, index) => row(result, this.#drawn + index + 1));
    this.table.body.append(...rows);
    this.#drawn += rows.length;
    this.table.box.hidden = false;
    this.more.hidden = this.#drawn === this.#results.length;
  }

  #stop() {
    if (document.activeElement === this.cancel) this.box.querySelector(".scrolled").focus();
    this.cancel.hidden = true;
    this.progress.hidden = true;
  }

  #button(text, action) {
    const button = make("button", { type: "button", textContent: text });
    button.addEventListener("click", action);
    return button;
  }

  #file = (ending) => `${this.name.replace(/\.[^.]*$/, "")}-scores.${ending}`;
  #asJson = () => `${JSON.stringify(this.#results, null, 1)}\n`;
}

const row = (result, number) =>
  makeRow([String(number), result.input_id ?? "", result.problem ? "" : labels(result), notes(result)].map(String));
