import { describe, expect, test } from 'vitest';
import { rowOf } from '../../../../agent/cli/example/pod-row.ts';
import { ProgressTable, tableLines } from '../../../../agent/cli/example/progress-table.ts';
import type { ContainerStatus, Event, Pod } from '../../../../shared/api/core.ts';

const status = (state: ContainerStatus['state'], ready = false): ContainerStatus => ({
  name: 'web',
  state,
  lastState: {},
  ready,
  restartCount: 0,
  image: 'nginx',
  imageID: '',
});

function pod(containerStatus?: ContainerStatus, nodeName: string | undefined = 'm1'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', uid: 'u1', resourceVersion: '1', creationTimestamp: '' },
    spec: { containers: [{ name: 'web', image: 'nginx' }], nodeName },
    status: {
      containerStatuses: containerStatus === undefined ? [] : [containerStatus],
      conditions: [{ type: 'Ready', status: containerStatus?.ready === true ? 'True' : 'False' }],
    },
  };
}

const event = (reason: string, uid = 'u1'): Event => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: reason, uid: reason, resourceVersion: '1', creationTimestamp: '' },
  involvedObject: { kind: 'Pod', name: 'web-1', uid, fieldPath: 'spec.containers{web}' },
  reason,
});

const stateOf = (each: Pod, events: Event[] = []) => rowOf(each, events).containers[0]?.state;

describe("a pod's line", () => {
  const waiting = (reason: string, message?: string) => status({ waiting: { reason, message } });

  test('goes from scheduling through pulling and creating to running and ready', () => {
    expect(stateOf({ ...pod(), spec: { containers: [{ name: 'web' }] } })).toBe('scheduling');
    expect(stateOf(pod())).toBe('waiting');
    expect(stateOf(pod(waiting('ContainerCreating')), [event('Pulling')])).toBe('pulling');
    expect(stateOf(pod(waiting('ContainerCreating')), [event('Pulling'), event('Pulled')])).toBe('creating');
    expect(stateOf(pod(status({ running: {} })))).toBe('running');
    expect(stateOf(pod(status({ running: {} }, true)))).toBe('ready');
  });

  test("takes no notice of another pod's events", () => {
    expect(stateOf(pod(waiting('ContainerCreating')), [event('Pulling', 'u2')])).toBe('creating');
  });

  test('says what is wrong, with the reason', () => {
    const row = rowOf(pod(waiting('ErrImagePull', 'no such host')), []);
    expect(row.containers[0]?.state).toBe('failing');
    expect(row.trouble).toBe('ErrImagePull: no such host');
    const unscheduled = pod(undefined, '');
    unscheduled.status = {
      conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }],
    };
    expect(rowOf(unscheduled, [])).toMatchObject({ trouble: '0/1 nodes are available', ready: false });
  });
});

describe('the table', () => {
  const rows = [
    rowOf(pod(status({ running: {} }, true)), []),
    { ...rowOf(pod(), []), name: 'a-longer-name', node: '' },
  ];

  test('aligns its columns', () => {
    expect(tableLines(rows)).toEqual([
      '  POD            NODE  CONTAINERS',
      '  web-1          m1    web ready',
      '  a-longer-name  -     web waiting',
    ]);
  });

  test('is drawn over itself on a terminal', () => {
    const written: string[] = [];
    const table = new ProgressTable({ isTTY: true, columns: 80, write: (text) => written.push(text) });
    table.show(rows);
    table.show(rows);
    expect(written[0]?.startsWith('\x1b[3A')).toBe(false);
    expect(written[1]?.startsWith('\x1b[3A')).toBe(true);
  });

  test('says each change once where there is no terminal', () => {
    const written: string[] = [];
    const table = new ProgressTable({ write: (text) => written.push(text) });
    table.show(rows);
    table.show(rows);
    table.show([rows[0] ?? rowOf(pod(), [])]);
    expect(written).toEqual(['  web-1  web ready\n', '  a-longer-name  web waiting\n']);
  });
});
