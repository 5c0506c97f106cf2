/** The models there are, and what their labels are called. */

import { ask } from "./ask.js";
import { byId, make } from "./dom.js";
import { Trouble } from "./trouble.js";

/** arXiv's archives (https://arxiv.org/category_taxonomy), for models that bring no names. */
const ARCHIVES = {
  "astro-ph": "Astrophysics",
  "cond-mat": "Condensed Matter",
  cs: "Computer Science",
  econ: "Economics",
  eess: "Electrical Engineering and Systems Science",
  "gr-qc": "General Relativity and Quantum Cosmology",
  "hep-ex": "High Energy Physics – Experiment",
  "hep-lat": "High Energy Physics – Lattice",
  "hep-ph": "High Energy Physics – Phenomenology",
  "hep-th": "High Energy Physics – Theory",
  math: "Mathematics",
  "math-ph": "Mathematical Physics",
  nlin: "Nonlinear Sciences",
  "nucl-ex": "Nuclear Experiment",
  "nucl-th": "Nuclear Theory",
  physics: "Physics",
  "q-bio": "Quantitative Biology",
  "q-fin": "Quantitative Finance",
  "quant-ph": "Quantum Physics",
  stat: "Statistics",
};

const archiveOf = (code) => code.split(".")[0];
const isArxiv = (code) => archiveOf(code) in ARCHIVES;
const codeOf = (label) => (typeof label === "string" ? label : label.label);

/** The models that a key may ask. */
export class Models {
  #models = [];
  #key = null;
  #failure = "";

  /** Fills the choice. Throws Trouble when the key is refused; when only the list is, the default model stays. */
  async load(key) {
    if (key === this.#key) return;
    this.#key = key;
    try {
      const { body } = await ask("api/models", { key });
      if (key === this.#key) this.#fill(body.models.filter((model) => model.state === "ready"));
    } catch (error) {
      if (key !== this.#key) return;
      this.#key = null;
      this.#failure = error.message;
      if (!(error instanceof Trouble) || error.status === 401) throw error;
    }
  }

  /** The model that is chosen, as GET /api/models describes it; null while there is no list. */
  chosen() {
    const name = byId("model").value;
    return this.named(name) || this.#models.find((model) => model.default) || null;
  }

  named(name) {
    return this.#models.find((model) => model.name === name) || null;
  }

  /** Why there is no list, or "". */
  get failure() {
    return this.#models.length ? "" : this.#failure;
  }

  #fill(models) {
    const select = byId("model");
    const before = select.value;
    this.#models = models;
    select.replaceChildren(...models.map((model) => make("option", { value: model.name, textContent: title(model) })));
    select.value = models.some((model) => model.name === before) ? before : this.#default()?.name ?? "";
    select.dispatchEvent(new Event("change"));
  }

  #default() {
    return this.#models.find((model) => model.default) || this.#models[0];
  }
}

/** What a model is asked for, in words. */
function title({ name, labels, activation }) {
  const codes = labels.map(codeOf);
  if (!codes.every(isArxiv)) return name;
  const fine = codes.some((code) => code.includes("."));
  if (activation === "softmax") return `${fine ? "Primary category" : "Primary archive"}, the one it fits best (${name})`;
  return `${fine ? "Categories, under their archives" : "Archives, all that fit"} (${name})`;
}

/** { code, name, url, group } of each label: what the model says of it, else what arXiv does. */
export function describeLabels(codes, model) {
  const said = new Map((model?.labels || []).filter((label) => typeof label !== "string").map((label) => [label.label, label]));
  return codes.map((code) => ({
    code,
    name: said.get(code)?.name || ARCHIVES[code] || "",
    url: said.get(code)?.url || (isArxiv(code) ? `https://arxiv.org/list/${encodeURIComponent(code)}/recent` : null),
    group: said.get(code)?.group || archiveOf(code),
  }));
}

/** The name of a group of labels. */
export const groupName = (group) => ARCHIVES[group] || group;
