import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { clusterClient, readKubeconfig } from '../../../agent/cli/cluster-access.ts';
import { layoutOf } from '../../../agent/cli/control-plane/layout.ts';
import { kubeconfig } from '../../../agent/cli/kubeconfig.ts';

const FACTS = { server: 'https://127.0.0.1:6443', ca: '-----BEGIN CERTIFICATE-----\nx\n', token: 'a.b.c' };

describe('the kubeconfig', () => {
  test('has one cluster, user and context, all named longshore', () => {
    expect(parse(kubeconfig(FACTS))).toEqual({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'longshore',
          cluster: {
            server: 'https://127.0.0.1:6443',
            'certificate-authority-data': Buffer.from(FACTS.ca).toString('base64'),
          },
        },
      ],
      users: [{ name: 'longshore', user: { token: 'a.b.c' } }],
      contexts: [{ name: 'longshore', context: { cluster: 'longshore', user: 'longshore' } }],
      'current-context': 'longshore',
    });
  });

  test('does not fold a long token over lines', () => {
    const token = 'x'.repeat(900);
    expect(kubeconfig({ ...FACTS, token })).toContain(`token: ${token}\n`);
  });

  test('is what later commands reach the cluster by', () => {
    const layout = layoutOf(mkdtempSync(join(tmpdir(), 'longshore-kubeconfig-')));
    try {
      expect(() => readKubeconfig(layout)).toThrow(`there is no cluster in ${layout.dataDir} yet`);
      writeFileSync(layout.kubeconfig, kubeconfig(FACTS));
      const client = clusterClient(layout);
      expect(client.options).toEqual({ url: FACTS.server, ca: FACTS.ca, token: FACTS.token });
      client.close();
    } finally {
      rmSync(layout.dataDir, { recursive: true });
    }
  });
});
