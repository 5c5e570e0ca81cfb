/** Which authorities pods of a minion find in kube-root-ca.crt. */
import { describe, expect, test } from 'vitest';
import { withTrust } from '../../../../agent/link/apiserver/trust.ts';
import type { ConfigMap } from '../../../../shared/api/core.ts';

const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'ns', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-11-22T00:00:00Z' },
  data,
});
const having = (...all: ConfigMap[]) =>
  withTrust(
    {
      configMap: (_, name) => all.find((each) => each.metadata.name === name),
      secret: () => undefined,
    },
    'MINION\n',
  );

describe('the trust of pods', () => {
  test('is the minion beside the cluster', () => {
    const references = having(configMap('kube-root-ca.crt', { 'ca.crt': 'CLUSTER\n', other: 'kept' }));
    expect(references.configMap('ns', 'kube-root-ca.crt')).toMatchObject({
      metadata: { uid: 'u' },
      data: { 'ca.crt': 'MINION\nCLUSTER\n', other: 'kept' },
    });
  });

  test('is the minion alone where the cluster has a public certificate', () => {
    expect(having().configMap('ns', 'kube-root-ca.crt')?.data).toEqual({ 'ca.crt': 'MINION\n' });
  });

  test('changes no other ConfigMap', () => {
    const site = configMap('site', { 'ca.crt': 'theirs' });
    expect(having(site).configMap('ns', 'site')).toBe(site);
    expect(having().configMap('ns', 'site')).toBeUndefined();
  });
});
