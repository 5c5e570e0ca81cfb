/** The agent's own end of the control socket. */
import { Control } from '../../../agent/link/control.ts';
import { SqliteReplica } from '../../../agent/link/replica.ts';
import { ReportBox } from '../../../agent/link/reports.ts';
import { linkContract } from '../../contracts/link.ts';
import { ManualTimers } from '../../support/manual-timers.ts';
import { keptLog, ScriptedCluster } from '../../support/scripted-cluster.ts';

linkContract('the agent', () => {
  const cluster = new ScriptedCluster();
  const timers = new ManualTimers();
  const replica = new SqliteReplica(':memory:');
  const reports = new ReportBox();
  const control = new Control({
    settings: {
      nodeName: 'm1',
      agentVersion: '0.1.0',
      machineId: 'id',
      registration: () => ({ labels: {}, annotations: {}, status: {} }),
    },
    dial: cluster.dial,
    timers,
    random: () => 1,
    log: keptLog(),
    replica,
    reports,
    onTouched: () => undefined,
    onVerdict: () => undefined,
    onHttpStatus: () => undefined,
  });
  control.start();
  return {
    cluster,
    timers,
    pods: () => replica.pods().map((each) => each.metadata.name),
    report: (name, status) => {
      reports.podStatus({ namespace: 'default', name, uid: `uid-${name}` }, status, false);
      control.wake();
    },
    stop: (goodbye) => control.stop(goodbye),
  };
});
