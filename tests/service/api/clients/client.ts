// Asks every operation through openapi-fetch, by the types that openapi-typescript generated. Prints which it asked.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Result = components["schemas"]["Result"];
type Job = components["schemas"]["JobResponse"];

declare const process: { argv: string[] };

const [baseUrl = "", key = "", abstract = "", paper = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const asked = new Set<string>();
client.use({ onRequest: ({ request, schemaPath }) => void asked.add(`${request.method} ${schemaPath}`) });

function data<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

function equal(found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
  }
}

const labels = (result: Result): number => ("problem" in result ? 0 : result.labels.length);

async function single(): Promise<void> {
  const answer = data(await client.POST("/api/predict", { body: { abstract, top_k: 1 } }));
  if (!("labels" in answer)) throw new Error("that is a job");
  equal(answer.categories.length, 1);
  const path = { model: answer.model };
  const named = await client.POST("/api/models/{model}/predict", { params: { path }, body: { abstract } });
  const again = data(named);
  equal("labels" in again && again.cached, true);
  const stored = { params: { path: { id: answer.id }, query: { threshold: 0 } } };
  equal(data(await client.GET("/api/predictions/{id}", stored)).categories.length, answer.labels.length);
  const later = { params: { header: { Prefer: "respond-async" } }, body: { abstract } };
  equal((await client.POST("/api/predict", later)).response.status, 202);
}

async function several(): Promise<void> {
  const body = { abstracts: [{ abstract, id: "mine" }, "too short"] };
  const { results, problems } = data(await client.POST("/api/predict/batch", { body }));
  equal([problems, ...results.map((result) => "problem" in result)], [1, false, true]);
  equal(results[0]?.input_id, "mine");
}

async function pdf(): Promise<void> {
  const form = new FormData();
  form.append("file", new Blob([Uint8Array.from(atob(paper), (one) => one.charCodeAt(0))]), "paper.pdf");
  const sent = { body: { file: "" }, bodySerializer: () => form };
  const { extraction } = data(await client.POST("/api/predict/pdf", sent));
  equal(extraction.method, "heading");
  // @ts-expect-error: the types know what there is, and what there is not
  equal(extraction.manner, undefined);
}

async function finished(id: string): Promise<Job> {
  for (;;) {
    const answer = await client.GET("/api/jobs/{id}", { params: { path: { id } } });
    const job = data(answer);
    if (job.state === "done" || job.state === "cancelled") return job;
    await new Promise((wake) => setTimeout(wake, 1000 * Number(answer.response.headers.get("Retry-After"))));
  }
}

async function jobs(): Promise<void> {
  const list = data(await client.POST("/api/jobs", { body: { abstracts: [abstract, "too short"] } }));
  const lines = data(
    await client.POST("/api/jobs", {
      body: `${JSON.stringify({ abstract })}\n`,
      bodySerializer: (body) => body,
      headers: { "Content-Type": "application/x-ndjson" },
    }),
  );
  for (const { id, total } of [list, lines]) {
    const path = { id };
    equal((await finished(id)).ready, total);
    const text = data(await client.GET("/api/jobs/{id}/results", { params: { path }, parseAs: "text" }));
    const results = text.trimEnd().split("\n").map((line) => JSON.parse(line) as Result);
    equal([results.length, labels(results[0]!) > 0], [total, true]);
    equal(data(await client.DELETE("/api/jobs/{id}", { params: { path } })).state, "done");
  }
  equal(data(await client.GET("/api/jobs", { params: { query: { limit: 1 } } })).jobs[0]?.id, lines.id);
}

async function others(): Promise<void> {
  const models = data(await client.GET("/api/models"));
  const model = { params: { path: { model: models.default } } };
  equal(data(await client.GET("/api/models/{model}", model)).state, "ready");
  equal(data(await client.GET("/api/key")).limits.map((limit) => limit.policy), ["key", "inference"]);
  equal(data(await client.GET("/livez")).state, "live");
  equal(data(await client.GET("/readyz")).models[models.default], "ready");
  data(await client.GET("/openapi.json"));
  data(await client.GET("/metrics", { parseAs: "text" }));
  data(await client.GET("/", { parseAs: "text" }));
  data(await client.GET("/docs", { parseAs: "text" }));
  const named = (name: string) => ({ params: { path: { name } }, parseAs: "text" as const });
  data(await client.GET("/web/{name}", named("style.css")));
  data(await client.GET("/docs/{name}", named("swagger-ui.css")));
  data(await client.GET("/problems/{slug}", { params: { path: { slug: "key-missing" } }, parseAs: "text" }));
}

async function wrong(): Promise<void> {
  const { error } = await client.POST("/api/predict", { body: { abstract: "too short" } });
  equal([error?.status, Object.keys(error?.errors ?? {})], [400, ["abstract"]]);
}

for (const part of [single, several, pdf, jobs, others, wrong]) await part();
console.log(JSON.stringify([...asked].sort()));
