import { normalizeModel } from "@genai/dispatcher";
import type { V2Model, V2Operations } from "@genai/protocol";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

export function listModels(context: V2Context): OperationHandler<V2Operations["listModels"]> {
  return async () => {
    const providers = context.options.fleet
      .nodes()
      .filter((node) => node.online)
      .map((node) => node.provider);
    const models = new Map<string, { name: string; nodes: number; warmOn: string[] }>();
    for (const provider of providers) {
      const warm = provider.warmModel === null ? null : normalizeModel(provider.warmModel);
      // One node may list a model under two spellings.
      const offered = new Map(provider.models.map((name) => [normalizeModel(name), name]));
      for (const [normal, name] of offered) {
        const model = models.get(normal) ?? { name, nodes: 0, warmOn: [] };
        model.nodes += 1;
        if (normal === warm) model.warmOn.push(provider.providerId);
        models.set(normal, model);
      }
    }
    const listed: V2Model[] = [...models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      status: 200,
      body: { models: listed, nodesOfferingAll: providers.filter((provider) => provider.models.length === 0).length },
    };
  };
}
