import { until } from "@genai/testing";
import { expect } from "@jest/globals";
import { type NodeSpec, nodeName } from "../../src/core/node-spec.ts";
import type { CreateContext, CreateProgress, Platform, PlatformNode } from "../../src/core/platform.ts";
import { ScalerError } from "../../src/core/scaler-error.ts";

/** A platform to hold against the contract, and the hand that does to its engine what the world does. */
export interface PlatformBundle extends AsyncDisposable {
  readonly platform: Platform;
  /** Another scaler's view of the same engine, with nothing in its memory. */
  another(): Platform;
  readonly clusterId: string;
  spec(different?: Partial<NodeSpec>): NodeSpec;
  /** Something that the engine runs and that is not ours. */
  makeForeign(): Promise<{ readonly id: string; isUntouched(): boolean }>;
  /** An id of the platform's form that the engine does not have. */
  readonly absentId: string;
  /** A node that ends by itself soon after it was started. */
  readonly shortLived: Partial<NodeSpec>;
  /** Everything that the engine has for this cluster and that runs or costs, by id. */
  living(): Promise<readonly string[]>;
}

export const quiet: CreateContext = { onProgress: () => {}, signal: new AbortController().signal };

/** What every platform owes the scaler. `define` is jest's test, or one that may be skipped. */
export function platformContract(
  kind: string,
  setup: () => Promise<PlatformBundle>,
  define: (name: string, body: () => Promise<void>, timeoutMs?: number) => void,
): void {
  const check = (sentence: string, body: (bundle: PlatformBundle) => Promise<void>) =>
    define(
      `${kind}: ${sentence}`,
      async () => {
        await using bundle = await setup();
        await body(bundle);
      },
      60_000,
    );

  check("a node that was made is in the list, as it was asked for", async ({ platform, clusterId, spec }) => {
    const node = await make(platform, clusterId, spec({ labels: { team: "blue" }, idempotencyKey: "one" }));
    const listed = await platform.list();
    expect(listed).toHaveLength(1);
    expect(listed[0]).toMatchObject({ nodeId: node.nodeId, platform: platform.name, state: "running" });
    expect(listed[0]).toMatchObject({ backend: spec().backend, image: spec().image, labels: { team: "blue" } });
    expect(listed[0]).toMatchObject({ idempotencyKey: "one", name: nodeName(clusterId, "one") });
    expect(platform.owns(node.nodeId)).toBe(true);
  });

  check("another scaler sees the same nodes and can remove them", async ({ platform, another, clusterId, spec }) => {
    const node = await make(platform, clusterId, spec());
    const other = another();
    expect((await other.list()).map((one) => one.nodeId)).toEqual([node.nodeId]);
    expect(await other.remove(node.nodeId)).toBe("removed");
    expect(await platform.list()).toEqual([]);
  });

  check("two scalers that make one name make one node", async ({ platform, another, clusterId, spec, living }) => {
    const same = spec({ idempotencyKey: "same" });
    const nodes = await Promise.all([
      makeInsistently(platform, clusterId, same),
      makeInsistently(another(), clusterId, same),
    ]);
    expect(nodes[0]?.nodeId).toBe(nodes[1]?.nodeId);
    expect(await platform.list()).toHaveLength(1);
    expect(await living()).toHaveLength(1);
  });

  check("two deletions at once are one, and a third is fine", async ({ platform, clusterId, spec, living }) => {
    const { nodeId } = await make(platform, clusterId, spec());
    const outcomes = await Promise.all([platform.remove(nodeId), platform.remove(nodeId)]);
    for (const outcome of outcomes) expect(["removed", "absent"]).toContain(outcome);
    expect(["removed", "absent"]).toContain(await platform.remove(nodeId));
    expect(await platform.list()).toEqual([]);
    expect(await living()).toEqual([]);
  });

  check("an id that the platform does not have is absent", async ({ platform, absentId }) => {
    expect(await platform.remove(absentId)).toBe("absent");
  });

  check("what is not ours is in no list and is left alone", async ({ platform, makeForeign }) => {
    const foreign = await makeForeign();
    expect(await platform.list()).toEqual([]);
    expect(await platform.remove(foreign.id)).toBe("foreign");
    await platform.sweep();
    expect(foreign.isUntouched()).toBe(true);
  });

  check("a creation whose caller is gone leaves nothing behind", async ({ platform, clusterId, spec, living }) => {
    const abort = new AbortController();
    const onProgress = ({ stage }: CreateProgress) => {
      if (stage === "starting") abort.abort();
    };
    const creation = make(platform, clusterId, spec(), { signal: abort.signal, onProgress });
    await expect(creation).rejects.toMatchObject({ code: "canceled" });
    expect(await platform.list()).toEqual([]);
    expect(await living()).toEqual([]);
  });

  check("a caller that goes while its node is looked at leaves nothing behind", async (bundle) => {
    const { platform, clusterId, spec, living } = bundle;
    const abort = new AbortController();
    const onProgress = ({ stage }: CreateProgress) => {
      // Not before the call that comes next is on its way.
      if (stage === "starting") setImmediate(() => abort.abort());
    };
    const creation = make(platform, clusterId, spec(), { signal: abort.signal, onProgress });
    await expect(creation).rejects.toMatchObject({ code: "canceled" });
    expect(await platform.list()).toEqual([]);
    expect(await living()).toEqual([]);
  });

  check("a node that ends by itself is told as failed until it is deleted", async (bundle) => {
    const { platform, clusterId, spec, shortLived } = bundle;
    const { nodeId } = await make(platform, clusterId, spec(shortLived));
    const failed = await until("it has failed", async () =>
      (await platform.list()).find((node) => node.state === "failed"),
    );
    expect(failed.nodeId).toBe(nodeId);
    expect(failed.message).not.toBe("");
    expect(await platform.remove(nodeId)).toBe("removed");
    expect(await platform.list()).toEqual([]);
  });

  check("a sweep leaves living nodes alone", async ({ platform, clusterId, spec }) => {
    await make(platform, clusterId, spec());
    expect(await platform.sweep()).toEqual([]);
    expect(await platform.list()).toHaveLength(1);
  });

  check("a plan makes nothing", async ({ platform, spec, living }) => {
    await platform.plan(spec());
    expect(await living()).toEqual([]);
  });
}

/** Plans and makes a node as the scaler does. */
export async function make(
  platform: Platform,
  clusterId: string,
  spec: NodeSpec,
  context: CreateContext = quiet,
): Promise<PlatformNode> {
  return platform.create(spec, await platform.plan(spec), nodeName(clusterId, spec.idempotencyKey), context);
}

/** Makes a node, planning anew as the scaler does when somebody else was quicker to rent what was planned. */
async function makeInsistently(platform: Platform, clusterId: string, spec: NodeSpec): Promise<PlatformNode> {
  try {
    return await make(platform, clusterId, spec);
  } catch (error) {
    if (!(error instanceof ScalerError) || error.code !== "offer_gone") throw error;
    return make(platform, clusterId, spec);
  }
}
