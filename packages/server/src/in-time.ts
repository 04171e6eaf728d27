/** How long a caller waits for the store to take a write, in milliseconds: with the way there and back it hears within two seconds. */
const WRITE_MS_MAX = 1_500;

/** What `work` comes to, or `late` where that takes too long; `work` goes on by itself then. */
export function inTime<Result>(work: Promise<Result>, late: () => Result): Promise<Result> {
  return new Promise((resolve, reject) => {
    // Behind the answers that came while this process itself stood still.
    const timer = setTimeout(() => setImmediate(() => resolve(late())), WRITE_MS_MAX);
    work.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
