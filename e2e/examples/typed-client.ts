import { createClient } from "@genai/protocol/client";

const genai = createClient({
  server: process.env.GENAI_SERVER ?? "http://127.0.0.1:8080",
  token: process.env.GENAI_TOKEN ?? null,
});

const { body: task } = await genai.createTask({
  body: { pipeline: { type: "standard", prompt: "a red fox in the snow", width: 256, height: 256, steps: 4 } },
  // The same key within 24 hours gives the same task: repeat the call as often as you like.
  headers: { "idempotency-key": crypto.randomUUID() },
});

for await (const event of genai.follow(task.id)) {
  if (event.type === "state") console.log(event.data.state);
}

const { body: ended } = await genai.getTask({ params: { taskId: task.id } });
for (const picture of ended?.result?.artifacts ?? []) {
  const bytes = await genai.fetchArtifact(picture);
  console.log(`${picture.mime}, ${picture.width} × ${picture.height}, ${bytes.length} bytes`);
}
