/** The fake keeps the contract that the real runtime keeps: what tests see through it is true. */
import type { ContainerSpec } from '../../../agent/runtime/runtime.ts';
import { runtimeContract } from '../../contracts/runtime.ts';
import { FakeRuntime } from '../../support/fake-runtime.ts';

const IMAGE = 'longshore.test/fake:1';

runtimeContract(() => {
  const runtime = new FakeRuntime();
  runtime.images.set(IMAGE, { id: 'sha256:fake', digests: [], sizeBytes: 1, user: '' });
  runtime.command = (_, stdin) => ({ stdout: Buffer.from(stdin).toString(), stderr: 'problem', exitCode: 7 });
  return {
    runtime,
    image: IMAGE,
    copyCommand: ['copy'],
    program: (lines, exitCode): Partial<ContainerSpec> => {
      runtime.programs.set(IMAGE, (process) => {
        for (const { stream, text } of lines) process.print(text, stream);
        if (exitCode !== undefined) process.exit(exitCode);
      });
      return {};
    },
  };
});
