/** The models there are, and what their labels are called. */

import { ask } from "./ask.js";
import { byId, make } from "./dom.js";
import { Trouble } from "./trouble.js";

/** Where arXiv describes its archives and categories. */
const ARXIV = "https://arxiv.org/list/";

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
function title({ name, labels, about = {}, activation }) {
  if (!labels.every((label) => about[label]?.url?.startsWith(ARXIV))) return name;
  const fine = labels.some((label) => about[label].group);
  if (activation === "softmax") return `${fine ? "Primary category" : "Primary archive"}, the one it fits best (${name})`;
  return `${fine ? "Categories, under their archives" : "Archives, all that fit"} (${name})`;
}

/** { code, name, url, group } of each label, as the model has them; what is not known is "". */
export function describeLabels(codes, model) {
  const about = model?.about || {};
  return codes.map((code) => ({ code, name: "", url: "", group: "", ...about[code] }));
}

/** What a group of labels is called. */
export function groupTitle(group, model) {
  const name = model?.about?.[group]?.name;
  return name ? `${name} (${group})` : group;
}
