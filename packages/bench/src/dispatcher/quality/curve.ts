import type { Quality } from "./play.ts";

const WIDTH = 720;
const HEIGHT = 420;
const MARGIN = 60;

/** The curve of time against cost over the ratio, and where the others stand, as an SVG. */
export function curveOf(
  ours: readonly { readonly ratio: number; readonly quality: Quality }[],
  others: readonly Quality[],
): string {
  const all = [...ours.map(({ quality }) => quality), ...others];
  const costMax = Math.max(...all.map((one) => one.costPerTask)) * 1.1;
  const secondsMax =
    Math.min(Math.max(...all.map((one) => one.p95Seconds)), 4 * Math.max(...others.map((one) => one.p95Seconds))) * 1.1;
  const x = (cost: number) => MARGIN + (cost / costMax) * (WIDTH - 2 * MARGIN);
  const y = (seconds: number) => HEIGHT - MARGIN - (Math.min(seconds, secondsMax) / secondsMax) * (HEIGHT - 2 * MARGIN);
  const at = ({ costPerTask, p95Seconds }: Quality) => `${x(costPerTask).toFixed(1)},${y(p95Seconds).toFixed(1)}`;
  const dot = (one: Quality, label: string, color: string) => {
    const [left = "", top = ""] = at(one).split(",");
    return `<circle cx="${left}" cy="${top}" r="4" fill="${color}"/><text x="${Number(left) + 7}" y="${Number(top) - 5}">${label}</text>`;
  };
  const axis = (text: string, place: string) => `<text ${place} fill="#555">${text}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    "<title>Cost against time over the ratio, beside three simple policies</title>",
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<path d="M${MARGIN},${MARGIN} V${HEIGHT - MARGIN} H${WIDTH - MARGIN}" fill="none" stroke="#999"/>`,
    axis(`credits for a task, 0 to ${costMax.toFixed(1)}`, `x="${WIDTH / 2 - 60}" y="${HEIGHT - 20}"`),
    axis(`95th percentile of the time to done, 0 to ${secondsMax.toFixed(0)} s`, `x="${MARGIN}" y="${MARGIN - 20}"`),
    `<polyline points="${ours.map(({ quality }) => at(quality)).join(" ")}" fill="none" stroke="#0a6" stroke-width="2"/>`,
    ...ours.map(({ ratio, quality }) => dot(quality, String(ratio), "#0a6")),
    ...others.map((one) => dot(one, one.policy, "#c40")),
    "</svg>\n",
  ].join("\n");
}
