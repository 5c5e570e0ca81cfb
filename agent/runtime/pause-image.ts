/** The image of every sandbox, built in memory and given to the engine at first need: no registry, no compiler. */
import { once } from 'node:events';
import { type Engine, openStream, statusCodeOf } from './engine.ts';
import { type Architecture, pauseProgram } from './pause-program.ts';
import { tarOf } from './tar.ts';

const REPOSITORY = 'longshore/pause';
/** Raise it with every change to the program: an engine keeps what it has under a tag. */
const VERSION = '1';
export const PAUSE_IMAGE = `${REPOSITORY}:${VERSION}`;

const ARCHITECTURES: Record<string, Architecture> = { amd64: 'x64', x86_64: 'x64', arm64: 'arm64', aarch64: 'arm64' };

/** Makes sure that the engine has the pause image. @throws when the engine's processor is one that we have no program for. */
export async function ensurePauseImage(engine: Engine): Promise<void> {
  try {
    await engine.docker.getImage(PAUSE_IMAGE).inspect();
  } catch (error) {
    if (statusCodeOf(error) !== 404) throw error;
    await importPauseImage(engine);
  }
}

async function importPauseImage(engine: Engine): Promise<void> {
  const { Architecture: reported } = await engine.docker.info();
  const architecture = ARCHITECTURES[reported];
  if (architecture === undefined) throw new Error(`there is no pause program for ${reported}: only x86_64 and aarch64`);
  const archive = tarOf([{ path: 'pause', mode: 0o755, content: pauseProgram(architecture) }]);
  const progress = await openStream(engine, {
    method: 'POST',
    path: '/images/create',
    query: { fromSrc: '-', repo: REPOSITORY, tag: VERSION, changes: 'ENTRYPOINT ["/pause"]' },
    body: archive,
  });
  let text = '';
  progress.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(progress, 'end');
  if (text.includes('"error"')) throw new Error(`the engine did not take the pause image: ${text.trim()}`);
}
