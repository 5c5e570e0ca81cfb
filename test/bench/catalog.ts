/** Every measurement by its name, in the order of the table, and the groups that several of them form. */
import { backups } from './backup.ts';
import { cost } from './cost.ts';
import { crd } from './crd.ts';
import { dns } from './dns.ts';
import { edge } from './edge.ts';
import { get } from './get.ts';
import { large } from './large.ts';
import { list } from './list.ts';
import { podStart } from './pod-start.ts';
import { put } from './put.ts';
import { reconnect } from './reconnect.ts';
import { refused } from './refused.ts';
import type { Bench } from './row.ts';
import { scheduling } from './scheduling.ts';
import { services } from './services.ts';
import { stalled } from './stalled.ts';
import { start } from './start.ts';
import { statuses } from './statuses.ts';
import { watch } from './watch.ts';
import { writes } from './writes.ts';

export const BENCHES: Record<string, Bench> = {
  put,
  writes,
  get,
  list,
  watch,
  stalled,
  statuses,
  large,
  start,
  crd,
  refused,
  scheduling,
  services,
  dns,
  edge,
  cost,
  backup: backups,
  reconnect,
  'pod-start': podStart,
};

export const GROUPS: Record<string, readonly string[]> = {
  api: ['put', 'writes', 'get', 'list', 'crd', 'refused'],
  watches: ['watch', 'stalled'],
};
