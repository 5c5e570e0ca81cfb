/**
 * Probes over time: when to try, how many outcomes in a row count, what follows. A startup probe holds back the others; a
 * failed startup or liveness probe condemns its container; readiness is remembered for the status. One set of timers for
 * each running container, gone with it. Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
 */
import type { Probe } from '../../shared/api/core.ts';
import { containerIdOf } from './container-status.ts';
import type { ContainerView } from './containers-of-pod.ts';
import { memoryOf } from './memory.ts';
import { gracePeriodOf } from './plan-ending.ts';
import { type PodContext, podIPOf } from './pod-context.ts';
import { tryProbe } from './probe-attempt.ts';

type Kind = 'startup' | 'liveness' | 'readiness';

const TITLES: Record<Kind, string> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };
const DEFAULT_PERIOD_SECONDS = 10;
const DEFAULT_FAILURES = 3;

export const probesOf = (view: ContainerView): Partial<Record<Kind, Probe>> => ({
  ...(view.spec.startupProbe === undefined ? {} : { startup: view.spec.startupProbe }),
  ...(view.spec.livenessProbe === undefined ? {} : { liveness: view.spec.livenessProbe }),
  ...(view.spec.readinessProbe === undefined ? {} : { readiness: view.spec.readinessProbe }),
});

/** After a restart of the agent a container is what it was until a probe says otherwise: a restart makes nobody unready. */
function reportedBefore({ pod }: PodContext, view: ContainerView, containerId: string) {
  const { containerStatuses = [], initContainerStatuses = [] } = pod().status ?? {};
  const found = [...containerStatuses, ...initContainerStatuses].find((each) => each.name === view.spec.name);
  return found?.containerID === containerIdOf({ id: containerId }) ? found : undefined;
}

export class ContainerProbes {
  readonly #context: PodContext;
  readonly #view: ContainerView;
  readonly #containerId: string;
  readonly #startedMs: number;
  readonly #onChange: () => void;
  readonly #timers = new Map<Kind, () => void>();
  #closed = false;

  /** Begins at once. `onChange`: the memory says something new. */
  constructor(context: PodContext, view: ContainerView, containerId: string, startedMs: number, onChange: () => void) {
    this.#context = context;
    this.#view = view;
    this.#containerId = containerId;
    this.#startedMs = startedMs;
    this.#onChange = onChange;
    const remembered = memoryOf(context.memory, view.spec.name);
    const { startup } = probesOf(view);
    const known = reportedBefore(context, view, containerId);
    remembered.probed = {
      containerId,
      started: startup === undefined || known?.started === true,
      ready: known?.ready === true,
    };
    if (startup === undefined || known?.started === true) this.#beginAfterStartup();
    else this.#begin('startup', startup);
  }

  close(): void {
    this.#closed = true;
    for (const callOff of this.#timers.values()) callOff();
    this.#timers.clear();
  }

  #beginAfterStartup(): void {
    const { liveness, readiness } = probesOf(this.#view);
    if (liveness !== undefined) this.#begin('liveness', liveness);
    if (readiness !== undefined) this.#begin('readiness', readiness);
  }

  #begin(kind: Kind, probe: Probe): void {
    const streak = { ok: kind === 'liveness', length: 0 };
    const { clock } = this.#context.parts;
    const periodMs = (probe.periodSeconds ?? DEFAULT_PERIOD_SECONDS) * 1000;
    const dueMs = this.#startedMs + (probe.initialDelaySeconds ?? 0) * 1000 + this.#spreadMs(periodMs);
    const again = (delayMs: number) => {
      if (this.#closed) return;
      this.#timers.set(
        kind,
        clock.after(delayMs, () => void attempt()),
      );
    };
    const attempt = async () => {
      const { ok, message } = await this.#try(probe);
      if (this.#closed) return;
      streak.length = streak.ok === ok ? streak.length + 1 : 1;
      streak.ok = ok;
      if (!ok) this.#unhealthy(kind, message);
      const goesOn = this.#judge(kind, probe, streak);
      if (goesOn) again(periodMs);
    };
    again(Math.max(0, dueMs - clock.now()));
  }

  /** After a restart of the agent all probes of the machine would be due at once. */
  #spreadMs(periodMs: number): number {
    const { clock, random } = this.#context.parts;
    const isAdopted = reportedBefore(this.#context, this.#view, this.#containerId) !== undefined;
    return isAdopted ? Math.max(0, clock.now() - this.#startedMs) + random() * periodMs : 0;
  }

  #try(probe: Probe) {
    const { parts } = this.#context;
    const target = { parts, container: this.#view.spec, containerId: this.#containerId, podIP: podIPOf(this.#context) };
    return tryProbe(probe, target);
  }

  /** The answer is whether this probe is tried again. */
  #judge(kind: Kind, probe: Probe, streak: { ok: boolean; length: number }): boolean {
    const needed = streak.ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? DEFAULT_FAILURES);
    if (streak.length < needed) return true;
    if (kind === 'readiness') this.#remember({ ready: streak.ok });
    else if (!streak.ok) return this.#condemn(kind, probe);
    else if (kind === 'startup') {
      this.#remember({ started: true });
      this.#beginAfterStartup();
      return false;
    }
    return true;
  }

  #remember(found: { ready?: boolean; started?: boolean }): void {
    const remembered = memoryOf(this.#context.memory, this.#view.spec.name);
    const before = remembered.probed;
    if (before === undefined || before.containerId !== this.#containerId) return;
    const after = { ...before, ...found };
    if (after.ready === before.ready && after.started === before.started) return;
    remembered.probed = after;
    this.#onChange();
  }

  #condemn(kind: Kind, probe: Probe): false {
    const { memory, pod } = this.#context;
    const { name } = this.#view.spec;
    memoryOf(memory, name).condemned = {
      containerId: this.#containerId,
      message: `Container ${name} failed ${kind} probe, will be restarted`,
      graceSeconds: probe.terminationGracePeriodSeconds ?? gracePeriodOf(pod()),
      replaced: false,
    };
    this.close();
    this.#onChange();
    return false;
  }

  #unhealthy(kind: Kind, message: string): void {
    this.#context.events.warning('Unhealthy', `${TITLES[kind]} probe failed: ${message}`, this.#view);
  }
}
