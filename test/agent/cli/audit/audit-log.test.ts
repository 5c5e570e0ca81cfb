import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AuditLog, auditFiles } from '../../../../agent/cli/audit/audit-log.ts';
import { readAuditPolicy } from '../../../../agent/cli/audit/policy-file.ts';
import { audit } from '../../../../agent/cli/commands/audit.ts';
import { eventually } from '../../../support/eventually.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'longshore-audit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const eventLine = (name: string, more: object = {}): string =>
  JSON.stringify({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: name,
    stage: 'ResponseComplete',
    requestURI: `/api/v1/namespaces/shop/pods/${name}`,
    verb: 'get',
    user: { username: 'ada' },
    objectRef: { resource: 'pods', namespace: 'shop', name, apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
    stageTimestamp: '2026-01-01T00:00:00.001000Z',
    ...more,
  });

describe('the audit log', () => {
  test('takes events alone, for its owner’s eyes', () => {
    const path = join(folder, 'audit.log');
    const log = new AuditLog(path);
    expect(log.take('{"level":"error","message":"x"}')).toBe(false);
    expect(log.take(eventLine('a'))).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(`${eventLine('a')}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('keeps so many files of such a size, and drops the oldest', () => {
    const path = join(folder, 'audit.log');
    const fileBytes = 2 * (eventLine('00').length + 1);
    // As after a restart: the size of what is there is looked up.
    for (let number = 0; number < 9; number++) {
      new AuditLog(path, { fileBytes, files: 3 }).take(eventLine(String(number).padStart(2, '0')));
    }
    expect(auditFiles(path)).toEqual([`${path}.2`, `${path}.1`, path]);
    const names = auditFiles(path).map((file) =>
      readFileSync(file, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).auditID),
    );
    expect(names).toEqual([['04', '05'], ['06', '07'], ['08']]);
  });
});

describe('longshore audit', () => {
  const layout = () => ({ auditLog: join(folder, 'audit.log'), auditPolicy: join(folder, 'audit-policy.yaml') });
  const read = async (filter: object) => {
    const lines: string[] = [];
    await audit(layout(), { follow: false, json: false, ...filter }, (line) => lines.push(line));
    return lines;
  };

  test('shows what was asked for, oldest first, through the files', async () => {
    const { auditLog } = layout();
    const log = new AuditLog(auditLog, { fileBytes: 10, files: 9 });
    log.take(eventLine('web'));
    log.take(eventLine('log', { objectRef: { resource: 'pods', subresource: 'log', namespace: 'shop', name: 'log' } }));
    log.take(
      eventLine('deploy', {
        verb: 'create',
        user: { username: 'admin' },
        impersonatedUser: { username: 'bob' },
        objectRef: { resource: 'deployments', apiGroup: 'apps', namespace: 'other', name: 'deploy' },
        responseStatus: { metadata: {}, code: 403, reason: 'Forbidden' },
      }),
    );
    log.take(eventLine('page', { objectRef: undefined, requestURI: '/metrics?x=1' }));
    // A crash cut this one short.
    writeFileSync(auditLog, `${readFileSync(auditLog, 'utf8')}{"kind":"Ev\n`);
    const at = '2026-01-01T00:00:00.001000Z  ResponseComplete';
    expect(await read({})).toEqual([
      `${at}  ada  get  pods  shop/web  200`,
      `${at}  ada  get  pods/log  shop/log  200`,
      `${at}  admin as bob  create  deployments.apps  other/deploy  403 Forbidden`,
      `${at}  ada  get  /metrics  200`,
    ]);
    expect(await read({ user: 'bob' })).toHaveLength(1);
    expect(await read({ verb: 'get', resource: 'pods' })).toHaveLength(2);
    expect(await read({ resource: 'pods/log' })).toHaveLength(1);
    expect(await read({ resource: 'deployments.apps', namespace: 'other' })).toHaveLength(1);
    expect(await read({ namespace: 'shop' })).toHaveLength(2);
    expect((await read({ json: true, user: 'bob' })).map((line) => JSON.parse(line).auditID)).toEqual(['deploy']);
  });

  test('follows what comes, into the next file', async () => {
    const { auditLog } = layout();
    const log = new AuditLog(auditLog, { fileBytes: 10, files: 9 });
    log.take(eventLine('first'));
    const lines: string[] = [];
    const end = new AbortController();
    const following = audit(layout(), { follow: true, json: true }, (line) => lines.push(line), end.signal);
    const seen = () => lines.map((line) => JSON.parse(line).auditID);
    await eventually('the first', () => seen().length === 1, { describe: () => lines.join('\n') });
    log.take(eventLine('second'));
    await eventually('the second', () => seen().length === 2, { describe: () => lines.join('\n') });
    expect(seen()).toEqual(['first', 'second']);
    end.abort();
    await following;
  });

  test('says how to switch logging on', async () => {
    await expect(read({})).rejects.toThrow(`A policy in ${layout().auditPolicy} switches it on`);
  });
});

describe('the policy of a control plane', () => {
  const write = (text: string) => {
    const auditPolicy = join(folder, 'audit-policy.yaml');
    writeFileSync(auditPolicy, text);
    return { auditPolicy };
  };
  const GOOD = 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n';

  test('is the file of the data directory, another one when it is named, or none', () => {
    const expected = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] };
    expect(readAuditPolicy({ auditPolicy: join(folder, 'none') }, undefined)).toBeUndefined();
    const layout = write(GOOD);
    expect(JSON.parse(readAuditPolicy(layout, undefined) ?? '')).toEqual(expected);
    expect(JSON.parse(readAuditPolicy({ auditPolicy: 'none' }, layout.auditPolicy) ?? '')).toEqual(expected);
  });

  test.each([
    ['rules: [', /cannot be used: .*flow/i],
    [
      GOOD.replace('level', 'levle'),
      /cannot be used: rules\[0\]\.level: Required value; unknown field "rules\[0\]\.levle"/,
    ],
  ])('%j is refused by name', (text, message) => {
    const layout = write(text);
    expect(() => readAuditPolicy(layout, undefined)).toThrow(message);
  });

  test('that was named and is not there is refused', () => {
    expect(() => readAuditPolicy({ auditPolicy: '' }, join(folder, 'gone'))).toThrow(/gone cannot be used: ENOENT/);
  });
});
