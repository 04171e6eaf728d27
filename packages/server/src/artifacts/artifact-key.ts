/** Key of picture `n` (from 0) of an attempt. */
export function artifactKey(attemptId: string, n: number): string {
  return `attempts/${attemptId}/${n}`;
}

/** Key of a picture that a node puts by itself where pictures are kept. It is of its content, so that who holds the URLs of two can't
 *  put the one in the place of the other that was checked. */
export function directArtifactKey(attemptId: string, n: number, sha256: string): string {
  return `attempts/${attemptId}/${n}-${sha256}`;
}
