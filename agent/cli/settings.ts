/**
 * What the last start was told, kept in the data directory: later commands and restarts then need no flags. Flags win over
 * what is kept, what is kept over the defaults.
 */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { AGENT_DEFAULTS } from '../config.ts';
import { CONTROL_PLANE_DEFAULTS, type ControlPlaneSettings } from './control-plane/control-plane.ts';
import { layoutOf } from './control-plane/layout.ts';
import { writeSecretFile } from './control-plane/secret-file.ts';

export interface MinionSettings {
  nodeName: string;
  /** undefined: found at each start. */
  nodeIP?: string;
  dockerSocket: string;
  instance: string;
  dnsPort: number;
  manifestDir: string;
  /** Set when this machine has joined a control plane elsewhere. */
  server?: string;
  /** A join token, or the minion's own; undefined: minted here. */
  token?: string;
  caFile?: string;
}

export interface Settings extends ControlPlaneSettings {
  minion: MinionSettings;
}

/** Flags as given; what was not given is absent. */
export type Flags = Partial<Omit<Settings, 'minion' | 'dataDir'>> & { minion?: Partial<MinionSettings> };

/** A node name is a DNS-1123 subdomain. */
export const nodeNameOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 253) || 'minion';

const defined = <T extends object>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;

export function resolveSettings(dataDir: string, kept: Flags, flags: Flags, host = hostname()): Settings {
  const { minion: keptMinion = {}, ...keptRest } = kept;
  const { minion: flagMinion = {}, ...flagRest } = flags;
  return {
    ...CONTROL_PLANE_DEFAULTS,
    ...defined(keptRest),
    ...defined(flagRest),
    dataDir,
    minion: {
      nodeName: nodeNameOf(host),
      dockerSocket: AGENT_DEFAULTS.dockerSocket,
      instance: AGENT_DEFAULTS.instance,
      dnsPort: AGENT_DEFAULTS.dnsPort,
      manifestDir: AGENT_DEFAULTS.manifestDir,
      ...defined(keptMinion),
      ...defined(flagMinion),
    },
  };
}

/** {} when nothing was ever started from this directory. */
export function readKeptSettings(dataDir: string): Flags {
  const path = layoutOf(dataDir).settings;
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Flags) : {};
}

/** The file may hold a token: for its owner's eyes. */
export function keepSettings(settings: Settings): void {
  writeSecretFile(layoutOf(settings.dataDir).settings, `${JSON.stringify(settings, undefined, 2)}\n`);
}
