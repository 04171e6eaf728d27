// Preloaded into a server that is measured: tells what it holds after a collection, when it is asked.
process.on("message", (message) => {
  if (message !== "memory") return;
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
process.channel?.unref();
