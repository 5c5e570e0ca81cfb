/**
 * Whom the pods of this minion trust for the API: the ConfigMap `kube-root-ca.crt`, as pods here see it, has the minion's
 * own authority beside the cluster's. So the key that speaks for `kubernetes.default.svc` never leaves the minion, and what
 * it signs is believed nowhere else. A cluster with a public certificate has no such ConfigMap: then there is just this one.
 */
import type { ConfigMap } from '../../../shared/api/core.ts';
import type { References } from '../../pods/pods.ts';

const NAME = 'kube-root-ca.crt';
const KEY = 'ca.crt';

/** @param authority PEM of the authority that signed what `ApiForwarder` shows. */
export function withTrust(references: References, authority: string): References {
  return {
    secret: (namespace, name) => references.secret(namespace, name),
    configMap: (namespace, name) => {
      const found = references.configMap(namespace, name);
      if (name !== NAME) return found;
      const known = found?.data?.[KEY] ?? '';
      const data = { ...found?.data, [KEY]: known === '' ? authority : `${authority}${known}` };
      return { ...(found ?? made(namespace)), data };
    },
  };
}

const made = (namespace: string): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: NAME, namespace, uid: '', resourceVersion: '', creationTimestamp: '' },
});
