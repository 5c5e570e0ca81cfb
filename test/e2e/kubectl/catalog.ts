/** The groups of commands. The longest come first, for all begin together. */
import { advanced } from './advanced.ts';
import { auth } from './auth.ts';
import { basic } from './basic.ts';
import { clusterManagement } from './cluster-management.ts';
import { configuration } from './configuration.ts';
import { create } from './create.ts';
import { deploy } from './deploy.ts';
import { discovery } from './discovery.ts';
import { everyKind } from './every-kind.ts';
import { reading } from './reading.ts';
import { settings } from './settings.ts';
import { troubleshooting } from './troubleshooting.ts';
import type { Group } from './world.ts';

export const GROUPS: readonly Group[] = [
  everyKind,
  deploy,
  reading,
  troubleshooting,
  clusterManagement,
  basic,
  advanced,
  create,
  auth,
  discovery,
  settings,
  configuration,
];
