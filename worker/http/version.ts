/** GET /version: what kubectl, Helm and their friends decide by. */
import { KUBERNETES_VERSION } from '../../shared/defaults.ts';
import { json } from './answers.ts';

const { major, minor, gitVersion } = KUBERNETES_VERSION;

export const versionAnswer = (pretty: boolean): Response =>
  json(
    {
      major,
      minor,
      emulationMajor: major,
      emulationMinor: minor,
      minCompatibilityMajor: major,
      minCompatibilityMinor: String(Number(minor) - 1),
      gitVersion,
      gitCommit: '',
      gitTreeState: 'clean',
      buildDate: '1970-01-01T00:00:00Z',
      goVersion: 'none',
      compiler: 'workerd',
      platform: 'workerd/v8',
    },
    200,
    pretty,
  );
