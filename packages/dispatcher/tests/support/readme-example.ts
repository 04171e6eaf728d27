import { EmbeddedDispatcher, type Transport } from "@genai/dispatcher/embedded";

const controllers = new Map<string, AbortController>();
const transport: Transport<{ prompt: string }, string> = {
  async send({ taskId, providerId, payload }) {
    const controller = new AbortController();
    controllers.set(taskId, controller);
    controller.signal.throwIfAborted();
    return `${payload.prompt}, painted by ${providerId}`;
  },
  abort({ taskId }, reason) {
    controllers.get(taskId)?.abort(reason);
  },
};

const dispatcher = new EmbeddedDispatcher({ transport });
dispatcher.addProvider({ providerId: "cheap-3060", cost: 1, gpuType: "RTX 3060" });
dispatcher.addProvider({ providerId: "quick-4090", cost: 4, gpuType: "RTX 4090" });
dispatcher.on("sent", ({ taskId, providerId, cost }) => console.log(`${taskId} goes to ${providerId} for ${cost}`));
const task = { taskId: "lighthouse", userId: "ann", maxCost: 5, payload: { prompt: "a lighthouse" } };
console.log(await dispatcher.submit(task));
dispatcher.close();
