/** What goes wrong with a request, in people's words. */

const LATER = "Try again in a minute. If it stays so, tell whoever runs this service.";
const KEY_REMEDY = "Paste the key whole, as it was shown when it was made; whoever runs this service can make another.";

/** What proxies in front of the service say, by status. */
const FOREIGN = {
  401: "Something in front of this service asks for a login. Load this page again to log in.",
  403: "Something in front of this service does not let the request through. Ask whoever runs it.",
  404: "Nothing is at the service’s address. A proxy in front of it may not pass on what begins with /api.",
  413: "A proxy in front of this service finds the file too large. Send a smaller one, or ask whoever runs it.",
  429: "A proxy in front of this service wants fewer requests. Wait a little, then send it again.",
  502: `The service is not running behind its proxy. ${LATER}`,
  503: `The service is not available at the moment. ${LATER}`,
  504: `The service did not answer its proxy in time. ${LATER}`,
};

/** fields: what is wrong with each input. seconds: after which to send it again, or null. status: 0 without an answer. */
export class Trouble extends Error {
  constructor(words, { fields = {}, seconds = null, status = 0 } = {}) {
    super(words);
    Object.assign(this, { fields, seconds, status });
  }
}

/** For an answer that is no success: `text` is its body. */
export function fromResponse(response, text) {
  const seconds = secondsOf(response.headers.get("Retry-After"));
  const problem = parsed(text);
  if (problem === null || !/json/.test(response.headers.get("Content-Type") || "")) {
    return new Trouble(foreign(response), { seconds, status: response.status });
  }
  const fields = fieldsOf(response.status, problem);
  return new Trouble(words(response.status, problem, fields), { fields, seconds, status: response.status });
}

/** For a success whose body is not the service's. */
export function fromNonsense(status) {
  return new Trouble(
    "Something in front of this service answered in its place, such as a login page. Load this page again.",
    { status },
  );
}

/** For a request without an answer. */
export function fromFailure(error) {
  if (error.name === "AbortError") return new Trouble("Cancelled.");
  if (error.name === "TimeoutError") return new Trouble("The service did not answer in time.");
  if (!navigator.onLine) return new Trouble("This device has no network. Connect it, then send it again.");
  return new Trouble("The service cannot be reached. Check your network, and whether the service runs; then send it again.");
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

function foreign({ status, statusText }) {
  const known = FOREIGN[status] || `The answer is not one of this service’s. ${LATER}`;
  return `${known} (${status}${statusText && ` ${statusText}`})`;
}

function fieldsOf(status, problem) {
  const fields = Object.fromEntries(
    Object.entries(problem.errors || {}).map(([field, messages]) => [field, [messages].flat().join(" ")]),
  );
  if (status === 401 || status === 403) fields.key = `${problem.detail} ${KEY_REMEDY}`;
  if (problem.type.endsWith("/unknown-model")) fields.model = problem.detail;
  return fields;
}

function words(status, problem, fields) {
  const named = Object.entries(fields).map(([field, message]) => (field === "key" ? message : `${field}: ${message}`));
  const warnings = (problem.warnings || []).map((warning) => warning.detail);
  const remedy = problem.remedy ? [`Remedy: ${problem.remedy}.`] : [];
  const instance = status >= 500 && problem.instance ? [`(${problem.instance})`] : [];
  return [...(named.length ? named : [problem.detail || problem.title]), ...warnings, ...remedy, ...instance].join(" ");
}

/** Retry-After is a number of seconds or a date. */
function secondsOf(header) {
  if (!header) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : null;
}
