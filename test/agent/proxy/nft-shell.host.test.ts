/** Changes through one lasting nft on a real kernel: what it reports, and what becomes of one that fails, dies or hangs. */
import { type ChildProcess, spawn as spawnHere } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Spawn } from '../../../agent/proxy/interactive-nft.ts';
import { NftShell, type NftShellOptions } from '../../../agent/proxy/nft-shell.ts';
import { eventually } from '../../support/eventually.ts';
import { createTestNetwork, type TestHost, type TestNetwork } from '../../support/hosts.ts';

const TABLE = 'shell_test';

let network: TestNetwork;
let host: TestHost;
let logged: string[];
let started: ChildProcess[];
let shell: NftShell;

const nft = (script: string) => host.exec('nft', ['-f', '-'], script);
const ports = () => host.exec('nft', ['list', 'set', 'ip', TABLE, 'ports']);
const add = (port: number) => `add element ip ${TABLE} ports { ${port} }\n`;
const remove = (port: number) => `delete element ip ${TABLE} ports { ${port} }\n`;

const spawn: Spawn = (file, args, options) => {
  const child = host.spawn(file, args, options);
  started.push(child);
  return child;
};

function shellWith(options: Partial<NftShellOptions> = {}): NftShell {
  return new NftShell({ table: TABLE, spawn, log: (message) => logged.push(message), ...options });
}

const makeTable = (of: NftShell) =>
  nft(
    `add table ip ${TABLE}\ndelete table ip ${TABLE}\nadd table ip ${TABLE}\n` +
      `add set ip ${TABLE} receipts { type mark; }\nadd set ip ${TABLE} ports { type inet_service; }\n` +
      `${add(1)}${of.firstReceipt()}`,
  );

/** Until it takes changes. */
async function opened(of: NftShell): Promise<void> {
  of.open();
  await eventually('a running nft', () => of.run(remove(1) + add(1)), { describe: () => logged.join('\n') });
}

/** A shell whose nft runs, with port 1 in the set. */
async function readyShell(options?: Partial<NftShellOptions>): Promise<void> {
  shell = shellWith(options);
  await makeTable(shell);
  await opened(shell);
}

const isOver = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

const newest = (): ChildProcess => {
  const child = started.at(-1);
  if (child === undefined) throw new Error('nothing was started');
  return child;
};

async function killed(child: ChildProcess): Promise<void> {
  const end = once(child, 'close');
  child.kill('SIGKILL');
  await end;
}

beforeAll(async () => {
  network = await createTestNetwork();
  host = await network.host('one');
});

afterAll(() => network?.dispose());

beforeEach(() => {
  [logged, started] = [[], []];
});

afterEach(async () => {
  shell.close();
  await eventually('the end of every nft', () => started.every(isOver));
});

describe('a change', () => {
  test('is in the kernel when it is said to be, and all of them through one process', async () => {
    await readyShell();
    for (let port = 1000; port < 1050; port++) expect(await shell.run(add(port))).toBe(true);
    expect(await shell.run(remove(1000) + add(2000))).toBe(true);
    const listed = await ports();
    expect(listed).toContain('1049');
    expect(listed).toContain('2000');
    expect(listed).not.toContain('1000');
    expect(started).toHaveLength(1);
    expect(logged).toEqual([]);
  });

  test('that the kernel refuses is told with what nft said, and none of it is done', async () => {
    await readyShell();
    await expect(shell.run(add(5000) + remove(6000))).rejects.toThrow('No such file or directory');
    expect(await ports()).not.toContain('5000');
  });

  test('that nft does not understand is told', async () => {
    await readyShell();
    await expect(shell.run(`${add(5000)}frobnicate\n`)).rejects.toThrow('syntax error');
    expect(await ports()).not.toContain('5000');
  });

  test('after a table was made anew goes through the same process', async () => {
    await readyShell();
    await expect(shell.run(remove(6000))).rejects.toThrow();
    await makeTable(shell);
    expect(await shell.run(add(7000))).toBe(true);
    expect(await ports()).toContain('7000');
    expect(started).toHaveLength(1);
  });

  test('of many elements is left to a process that need not read it byte by byte', async () => {
    await readyShell();
    expect(await shell.run(Array.from({ length: 1000 }, (_, index) => add(1000 + index)).join(''))).toBe(false);
    expect(await ports()).not.toContain('1000');
    expect(await shell.run(add(5000))).toBe(true);
  });
});

describe('when somebody else', () => {
  test('removes the table, the next change fails, and the table can be made anew', async () => {
    await readyShell();
    await nft('flush ruleset');
    await expect(shell.run(add(5000))).rejects.toThrow('No such file or directory');
    await makeTable(shell);
    expect(await shell.run(add(5000))).toBe(true);
  });

  test('takes an element away, the change that removes it fails', async () => {
    await readyShell();
    await nft(remove(1));
    await expect(shell.run(remove(1))).rejects.toThrow('No such file or directory');
  });

  test('makes the table anew, a change from before does not reach it', async () => {
    await readyShell();
    await makeTable(shellWith());
    await expect(shell.run(add(5000))).rejects.toThrow('No such file or directory');
    expect(await ports()).not.toContain('5000');
  });

  test('changes other tables, nothing is disturbed', async () => {
    await readyShell();
    await nft('add table ip other\nadd set ip other ports { type inet_service; }\n');
    let isOver = false;
    const others = (async () => {
      while (!isOver) await nft('flush set ip other ports\nadd element ip other ports { 1, 2, 3 }\n');
    })();
    try {
      for (let port = 1000; port < 1100; port++) expect(await shell.run(add(port))).toBe(true);
    } finally {
      isOver = true;
      await others;
    }
    expect(await ports()).toContain('1099');
  });
});

describe('an nft', () => {
  test('that was killed is replaced; until then a change has to go another way', async () => {
    await readyShell();
    await killed(newest());
    expect(await shell.run(add(5000))).toBe(false);
    await opened(shell);
    expect(started).toHaveLength(2);
    expect(await shell.run(add(5000))).toBe(true);
  });

  test('that is killed in the middle of a change fails it', async () => {
    await readyShell();
    newest().kill('SIGSTOP');
    const run = shell.run(add(5000));
    newest().kill('SIGKILL');
    await expect(run).rejects.toThrow('nft has ended (SIGKILL)');
    expect(await ports()).not.toContain('5000');
    await makeTable(shell);
    await opened(shell);
    expect(started).toHaveLength(2);
  });

  test('that does not answer is given up on', async () => {
    await readyShell({ patienceMs: 2000 });
    const silent = newest();
    silent.kill('SIGSTOP');
    await expect(shell.run(add(5000))).rejects.toThrow('no answer in 2000 ms');
    await eventually('its end', () => silent.signalCode === 'SIGKILL');
    expect(await shell.run(add(5000))).toBe(false);
  });

  test('that has been told enough gives way to another', async () => {
    await readyShell({ renewAfterBytes: 1 });
    const [first] = started;
    await eventually('the end of the first', () => first?.exitCode === 0);
    await opened(shell);
    expect(await ports()).toContain('1');
    expect(logged).toEqual([]);
  });

  test('that cannot be kept running is tried three times, and then left alone', async () => {
    shell = shellWith({ spawn: () => spawn('sh', ['-c', 'echo no such program; exit 127'], {}) });
    await makeTable(shell);
    await eventually('the last attempt', async () => {
      expect(await shell.run(add(5000))).toBe(false);
      return logged.length === 3;
    });
    expect(await shell.run(add(5000))).toBe(false);
    expect(started).toHaveLength(3);
    expect(logged[0]).toContain('no such program');
    expect(logged[2]).toContain('so each change will start one');
  });

  test('whose table is made anew while it proves itself is not held against it', async () => {
    shell = shellWith();
    await makeTable(shell);
    for (let attempt = 0; attempt < 5; attempt++) {
      shell.open();
      newest().kill('SIGSTOP');
      await makeTable(shell);
      newest().kill('SIGCONT');
      await eventually('its end or its use', async () => isOver(newest()) || (await shell.run(remove(1) + add(1))));
    }
    await opened(shell);
    expect(logged).toEqual([]);
  });

  test('whose table is not there is not used', async () => {
    shell = shellWith();
    await nft(`add table ip ${TABLE}\ndelete table ip ${TABLE}\n`);
    shell.open();
    await eventually('a refusal', () => logged.length === 1);
    expect(logged[0]).toContain('No such file or directory');
  });

  test('ends with the process that started it, however that ends', async () => {
    shell = shellWith();
    await makeTable(shell);
    const module = new URL('../../../agent/proxy/interactive-nft.ts', import.meta.url);
    const program =
      `import { spawn } from 'node:child_process'; import { InteractiveNft } from '${module}';` +
      `const nft = new InteractiveNft((...given) => { const child = spawn(...given); console.log(child.pid); return child; }, 60000);` +
      `await nft.ask(['list set ip ${TABLE} ports'], (text) => text.endsWith('\\n}\\n')); console.log('asked');`;
    const parent = spawnHere('nsenter', [
      `--net=${host.netns}`,
      process.execPath,
      '--input-type=module',
      '--eval',
      program,
    ]);
    let output = '';
    parent.stdout.on('data', (data) => {
      output += String(data);
    });
    await eventually('an answer', () => output.includes('asked'), { describe: () => output });
    const [pid = ''] = output.split('\n');
    const running = () => host.exec('ip', ['netns', 'pids', host.netns.split('/').at(-1) ?? '']);
    expect((await running()).split('\n')).toContain(pid);
    await killed(parent);
    await eventually('the end of its nft', async () => !(await running()).split('\n').includes(pid));
  });
});
