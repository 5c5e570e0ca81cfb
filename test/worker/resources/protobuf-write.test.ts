import { describe, expect, test } from 'vitest';
import { decodeBody, PROTOBUF_TYPE } from '../../../worker/resources/decode.ts';
import { encodeObject, hasProtobuf } from '../../../worker/resources/protobuf-write.ts';
import bodies from './fixtures/kubectl-bodies.json' with { type: 'json' };

const decoded = (bytes: Uint8Array) => decodeBody(bytes, PROTOBUF_TYPE).object;

function roundTrip(object: Record<string, unknown>) {
  const bytes = encodeObject(object);
  if (bytes === undefined) throw new Error(`${String(object.kind)} has no protobuf form`);
  return decoded(bytes);
}

describe('an object in protobuf', () => {
  test.each(Object.keys(bodies))('is read back as it was: %s', (name) => {
    const body = Uint8Array.from(Buffer.from(bodies[name as keyof typeof bodies], 'base64'));
    const object = decoded(body);
    expect(roundTrip(object)).toEqual(object);
  });

  test('with times, quantities, ports by name, maps, bytes and managed fields', () => {
    const pod = {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: {
        name: 'a',
        namespace: 'default',
        uid: 'u',
        resourceVersion: '7',
        generation: 2,
        creationTimestamp: '2026-01-02T03:04:05Z',
        labels: { b: '2', a: '1' },
        managedFields: [
          { manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } },
        ],
      },
      spec: {
        volumes: [{ name: 'v', configMap: { name: 'c', defaultMode: 420 } }],
        containers: [
          {
            name: 'main',
            image: 'nginx',
            resources: { requests: { cpu: '100m', memory: '1Gi' } },
            readinessProbe: { httpGet: { path: '/', port: 'http', scheme: 'HTTP' }, failureThreshold: 3 },
            livenessProbe: { tcpSocket: { port: 8080 } },
          },
        ],
        terminationGracePeriodSeconds: 0,
      },
      status: { phase: 'Running', startTime: '2026-01-02T03:04:06Z' },
    };
    expect(roundTrip(pod)).toEqual(pod);
    const lease = {
      kind: 'Lease',
      apiVersion: 'coordination.k8s.io/v1',
      metadata: { name: 'l', namespace: 'default' },
      spec: { renewTime: '2026-01-02T03:04:05.123456Z' },
    };
    expect(roundTrip(lease)).toEqual(lease);
  });

  test('is a list as well, and a Status', () => {
    const list = {
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      metadata: { resourceVersion: '9', continue: 'next', remainingItemCount: 4 },
      items: [{ metadata: { name: 'a' }, data: { x: '1' }, binaryData: { y: '/w==' } }],
    };
    expect(roundTrip(list)).toEqual(list);
    const bytes = encodeObject({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'no',
      reason: 'NotFound',
      details: { name: 'a', kind: 'pods', causes: [{ reason: 'r', message: 'm', field: 'f' }] },
      code: 404,
    });
    expect(Buffer.from(bytes ?? []).toString('latin1')).toContain('NotFound');
  });

  test('is not there for kinds that are custom', () => {
    expect(hasProtobuf('example.com/v1', 'Widget')).toBe(false);
    expect(encodeObject({ kind: 'Widget', apiVersion: 'example.com/v1' })).toBeUndefined();
  });
});
