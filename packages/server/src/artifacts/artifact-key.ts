/** Key of picture number `n` (from 0) of an attempt. */
export function artifactKey(attemptId: string, n: number): string {
  return `attempts/${attemptId}/${n}`;
}
