/**
 * Where everything of this machine's Longshore lies on disk: one table of paths below the data directory. What is in the
 * files is the business of whoever writes them.
 */
import { join } from 'node:path';

export const DEFAULT_DATA_DIR = '/var/lib/longshore';

export interface Layout {
  dataDir: string;
  /** base64url, mode 0600; every token key is derived from it. */
  rootSecret: string;
  pki: string;
  caCertificate: string;
  caKey: string;
  serverCertificate: string;
  serverKey: string;
  /** With the admin's token, mode 0600. */
  kubeconfig: string;
  /** Ports and addresses of the last start, so that later commands need no flags. */
  settings: string;
  controlPlane: string;
  workerdConfig: string;
  bundles: string;
  /** Durable Objects' SQLite files. */
  objects: string;
  /** The minion's own state. */
  agent: string;
  agentConfig: string;
  run: string;
  supervisorPid: string;
  /** Its pid once more, when all that it starts is up. */
  supervisorReady: string;
  /** Of the supervisor that is about to follow it. */
  successorPid: string;
  workerdPid: string;
  agentPid: string;
  /** Exists only when this project started the engine itself. */
  enginePid: string;
  logs: string;
  /** Read at each start when it is there and no other file is named. */
  auditPolicy: string;
  /** One JSON event a line, mode 0600; older ones in `….1`, `….2` … */
  auditLog: string;
}

export function layoutOf(dataDir: string): Layout {
  const at = (...parts: string[]) => join(dataDir, ...parts);
  return {
    dataDir,
    rootSecret: at('root-secret'),
    pki: at('pki'),
    caCertificate: at('pki', 'ca.crt'),
    caKey: at('pki', 'ca.key'),
    serverCertificate: at('pki', 'server.crt'),
    serverKey: at('pki', 'server.key'),
    kubeconfig: at('kubeconfig'),
    settings: at('settings.json'),
    controlPlane: at('control-plane'),
    workerdConfig: at('control-plane', 'workerd.capnp'),
    bundles: at('control-plane', 'bundles'),
    objects: at('control-plane', 'objects'),
    agent: at('agent'),
    agentConfig: at('agent', 'config.json'),
    run: at('run'),
    supervisorPid: at('run', 'longshore.pid'),
    supervisorReady: at('run', 'longshore.ready'),
    successorPid: at('run', 'longshore.next'),
    workerdPid: at('run', 'control-plane.pid'),
    agentPid: at('run', 'minion.pid'),
    enginePid: at('run', 'dockerd.pid'),
    logs: at('logs'),
    auditPolicy: at('audit-policy.yaml'),
    auditLog: at('logs', 'audit.log'),
  };
}
