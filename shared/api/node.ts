/** `node.k8s.io`: how containers are run. */
import type { Toleration } from './core.ts';
import type { Identity, KubeObject } from './meta.ts';

export interface RuntimeClass extends KubeObject {
  handler: string;
  overhead?: { podFixed?: Record<string, string> };
  scheduling?: { nodeSelector?: Record<string, string>; tolerations?: Toleration[] };
}
export const RUNTIME_CLASSES: Identity<RuntimeClass> = {
  group: 'node.k8s.io',
  version: 'v1',
  resource: 'runtimeclasses',
  kind: 'RuntimeClass',
  namespaced: false,
};
