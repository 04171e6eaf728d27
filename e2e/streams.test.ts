import { streamsTrial } from "@genai/bench";
import { test } from "@jest/globals";

// The short form of `npm run chaos -- streams`. It throws where a stream differs.
test("60 streams cut at random moments, with a kill -9 and a restart of the server among them, give what uncut ones give", async () => {
  await streamsTrial({ streams: 60, seed: 1 });
}, 240_000);
