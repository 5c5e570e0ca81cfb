import type { Session } from '../../../shared/tunnel/session.ts';
import { sessionContract } from '../../contracts/session.ts';
import { pairedSessions } from '../../support/paired-transport.ts';
import { seededRandom } from '../../support/seeded-random.ts';

sessionContract('wires in memory', async () => {
  let handler: ConstructorParameters<typeof Session>[0]['onOpen'];
  const pair = pairedSessions(
    {},
    {
      onOpen: (stream, header) => {
        if (handler === undefined) throw new Error('nobody answers');
        return handler(stream, header);
      },
    },
  );
  const random = seededRandom(7).next;
  return {
    open: async (header, events) => pair.opener.open(header, events),
    answer: (given) => {
      handler = given;
    },
    settle: async () => pair.settle(random),
  };
});
