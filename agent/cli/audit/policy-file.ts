/** The audit policy of a control plane on this machine, from a file of YAML or JSON. */
import { existsSync, readFileSync } from 'node:fs';
import { parse, YAMLError } from 'yaml';
import { AuditPolicyError, auditPolicyOf } from '../../../shared/audit-policy.ts';
import type { Layout } from '../control-plane/layout.ts';

/** As JSON; undefined: there is none. @throws naming the file and what is wrong with it. */
export function readAuditPolicy(layout: Pick<Layout, 'auditPolicy'>, named: string | undefined): string | undefined {
  const path = named ?? layout.auditPolicy;
  if (named === undefined && !existsSync(path)) return undefined;
  try {
    return JSON.stringify(auditPolicyOf(parse(readFileSync(path, 'utf8'))));
  } catch (error) {
    const isOurs = error instanceof AuditPolicyError || error instanceof YAMLError || isMissing(error);
    if (isOurs) throw new Error(`the audit policy ${path} cannot be used: ${(error as Error).message}`);
    throw error;
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error;
