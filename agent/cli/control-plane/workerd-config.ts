/**
 * The configuration that workerd gets, as text: the Worker with its two object classes on SQLite, its bindings, its
 * assets, and its sockets. Pure; `control-plane.ts` writes and runs it. The same Worker on Cloudflare: wrangler.toml,
 * from which the compatibility date and flags are read, so that there is one of each.
 * Source: workerd.capnp in the workerd package.
 */
import { relative } from 'node:path';
import type { Layout } from './layout.ts';

export interface Compatibility {
  date: string;
  flags: string[];
}

export interface WorkerdSettings {
  compatibility: Compatibility;
  /** The Worker as one ES module. */
  bundlePath: string;
  /** Static files, served to the Worker through its ASSETS binding. */
  assetsPath: string;
  /** `ADDRESS:PORT`; with TLS. */
  apiSockets: readonly string[];
  /** `ADDRESS:PORT`; plain HTTP. */
  publicSockets: readonly string[];
  apiUrl: string;
  /** `IP:PORT` by which other machines and pods reach the API; undefined when only this machine does. */
  apiAddress?: string | undefined;
  publicUrl: string;
  /** An audit policy as JSON; undefined: requests are not logged. */
  auditPolicy?: string | undefined;
}

/** Flags that a date already switches on, which workerd by itself warns about or refuses. */
const ON_BY_DEFAULT_SINCE: Record<string, string> = { nodejs_compat: '2026-08-04' };

/** @throws when wrangler.toml has no date: the two deployments would drift apart. */
export function readCompatibility(wranglerToml: string): Compatibility {
  const date = /^compatibility_date\s*=\s*"(\d{4}-\d{2}-\d{2})"/m.exec(wranglerToml)?.[1];
  const flags = /^compatibility_flags\s*=\s*\[([^\]]*)\]/m.exec(wranglerToml)?.[1];
  if (date === undefined || flags === undefined) throw new Error('wrangler.toml names no compatibility date and flags');
  const named = [...flags.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  return { date, flags: named.filter((flag) => !(date >= (ON_BY_DEFAULT_SINCE[flag] ?? '9999'))) };
}

/** A Cap'n Proto text literal; JSON's escapes are among its own. */
const text = (value: string) => JSON.stringify(value);

/** The object classes; a unique key names their files on disk and must never change. */
const OBJECT_CLASSES = [
  { className: 'Cluster', binding: 'CLUSTER', uniqueKey: 'longshore-cluster' },
  { className: 'Relay', binding: 'RELAY', uniqueKey: 'longshore-relay' },
];

/**
 * V8 frees the young objects of a thousand requests at once, and with them what workerd holds for each (its Request,
 * Response, Headers): 25 ms in which nobody is answered. A smaller young generation frees fewer at a time.
 */
const V8_FLAGS = ['--max-semi-space-size=4'];

export function workerdConfig(layout: Layout, settings: WorkerdSettings): string {
  // `embed` takes paths relative to the configuration file only.
  const embed = (path: string) => `embed ${text(relative(layout.controlPlane, path))}`;
  const tls = `(keypair = (privateKey = ${embed(layout.serverKey)}, certificateChain = ${embed(layout.serverCertificate)}))`;
  const sockets = [
    ...settings.apiSockets.map(
      (address, index) =>
        `(name = "api-${index}", address = ${text(address)}, service = "longshore", https = (options = (), tlsOptions = ${tls}))`,
    ),
    ...settings.publicSockets.map(
      (address, index) => `(name = "public-${index}", address = ${text(address)}, service = "longshore", http = ())`,
    ),
  ];
  return `# Written at each start; changes are lost.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  v8Flags = [${V8_FLAGS.map(text).join(', ')}],
  services = [
    (name = "longshore", worker = .worker),
    (name = "objects", disk = (path = ${text(layout.objects)}, writable = true)),
    (name = "assets", disk = (path = ${text(settings.assetsPath)})),
  ],
  sockets = [
${sockets.map((socket) => `    ${socket},`).join('\n')}
  ],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = ${embed(settings.bundlePath)})],
  compatibilityDate = ${text(settings.compatibility.date)},
  compatibilityFlags = [${settings.compatibility.flags.map(text).join(', ')}],
  durableObjectNamespaces = [
${OBJECT_CLASSES.map((each) => `    (className = ${text(each.className)}, uniqueKey = ${text(each.uniqueKey)}, enableSql = true),`).join('\n')}
  ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [
${OBJECT_CLASSES.map((each) => `    (name = ${text(each.binding)}, durableObjectNamespace = ${text(each.className)}),`).join('\n')}
    (name = "ROOT_SECRET", text = ${embed(layout.rootSecret)}),
    (name = "PUBLIC_URL", text = ${text(settings.publicUrl)}),
    (name = "API_URL", text = ${text(settings.apiUrl)}),
${settings.apiAddress === undefined ? '' : `    (name = "API_ADDRESS", text = ${text(settings.apiAddress)}),\n`}    (name = "CA_CERTIFICATE", text = ${embed(layout.caCertificate)}),
    (name = "CA_KEY", text = ${embed(layout.caKey)}),
${settings.auditPolicy === undefined ? '' : `    (name = "AUDIT_POLICY", text = ${text(settings.auditPolicy)}),\n`}    (name = "ASSETS", service = "assets"),
  ],
);
`;
}
