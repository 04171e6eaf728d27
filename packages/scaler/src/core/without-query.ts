/** A backend URL may carry the join token in its query, which has no place in a label or a list. */
export function withoutQuery(url: string): string {
  const mark = url.indexOf("?");
  return mark < 0 ? url : url.slice(0, mark);
}
