/** The DNS server over real sockets of the loopback, against dns-packet and Node's own resolver; upstreams pretended. */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, createServer, type Socket } from 'node:net';
import { type Answer, decode, encode, type Packet, type Question } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DnsServer } from '../../../agent/dns/server.ts';
import { endpoint, partsByName, service, slice } from '../../support/service-objects.ts';

const PORT = 5533;
const undo: (() => Promise<void> | void)[] = [];
let logged: string[];
let nowMs: number;
let server: DnsServer;
let address: string;

/** An address of the loopback that no other test process is likely to have. */
const loopback = () => `127.${[0, 0, 0].map(() => 1 + Math.floor(Math.random() * 254)).join('.')}`;

interface FakeUpstream {
  address: string;
  asked: { name: string; transport: 'udp' | 'tcp' }[];
}

type Script = (question: Question) => Partial<Packet> | 'silence' | 'cut';

async function upstream(script: Script): Promise<FakeUpstream> {
  const fake: FakeUpstream = { address: loopback(), asked: [] };
  const reply = (query: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined => {
    const { id, questions = [] } = decode(query);
    const question = questions[0] as Question;
    fake.asked.push({ name: question.name, transport });
    const answer = script(question);
    if (answer === 'silence') return undefined;
    if (answer === 'cut') {
      if (transport === 'udp') return encode({ type: 'response', id: id ?? 0, flags: 0x0200, questions });
      return encode({ type: 'response', id: id ?? 0, questions, answers: [a(question.name, '192.0.2.99')] });
    }
    return encode({ type: 'response', id: id ?? 0, questions, ...answer } as Packet);
  };
  const udp = createSocket('udp4');
  udp.on('message', (query: Buffer, from: RemoteInfo) => {
    const answer = reply(query, 'udp');
    if (answer !== undefined) udp.send(answer, from.port, from.address);
  });
  const tcp = createServer((socket) => {
    socket.on('data', (chunk) => {
      const answer = reply(chunk.subarray(2), 'tcp');
      if (answer !== undefined) socket.write(framed(answer));
    });
    socket.on('error', () => socket.destroy());
    undo.push(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => udp.bind(PORT, fake.address, () => resolve()));
  await new Promise<void>((resolve) => tcp.listen(PORT, fake.address, () => resolve()));
  undo.push(() => new Promise<void>((resolve) => udp.close(() => resolve())));
  undo.push(() => new Promise<void>((resolve) => void tcp.close(() => resolve())));
  return fake;
}

const a = (name: string, data: string, ttl = 60): Answer => ({ type: 'A', name, ttl, data });

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

async function start(upstreams: FakeUpstream[] = [], timing = { patienceMs: 50, deadlineMs: 500 }): Promise<void> {
  address = loopback();
  logged = [];
  nowMs = 1_000_000;
  server = new DnsServer({ log: (message) => logged.push(message), now: () => nowMs, random: () => 0.5, ...timing });
  const known = partsByName(
    [
      service('web', { clusterIP: '10.96.1.1', ports: [{ name: 'http', port: 80 }] }),
      service('many', { clusterIP: 'None' }),
      service('out', { type: 'ExternalName', externalName: 'www.example.com' }),
    ],
    [
      slice(
        'many',
        Array.from({ length: 120 }, (_, index) => endpoint(`10.244.1.${index + 2}`)),
      ),
    ],
  );
  for (const [name, parts] of known) server.update(name, parts);
  const servers = upstreams.length > 0 ? upstreams.map((each) => `${each.address}:${PORT}`) : ['127.0.0.1:1'];
  await server.start({ domain: 'cluster.local', addresses: [address], port: PORT, upstreams: servers });
  undo.push(() => server.stop());
}

/** Sends bytes over UDP; resolves with the first answer's bytes. */
function sendUdp(message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => {
      socket.close();
      reject(new Error(`no answer; the server logged: ${logged.join('\n')}`));
    }, 3000);
    socket.on('message', (answer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    });
    socket.send(message, PORT, address);
  });
}

const udp = async (packet: Packet) => decode(await sendUdp(encode({ type: 'query', flags: 0x0100, ...packet })));
const question = (name: string, type: Question['type'] = 'A'): Packet => ({ id: 4711, questions: [{ type, name }] });
const rcode = (packet: Packet) => (packet.flags ?? 0) & 0x000f;
const datas = (packet: Packet) => (packet.answers ?? []).map((answer) => ('data' in answer ? answer.data : undefined));

const opt = (udpPayloadSize: number, ednsVersion = 0): Answer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize,
  extendedRcode: 0,
  ednsVersion,
  flags: 0,
  flag_do: false,
  options: [],
});

/** Sends several messages at once over one connection; resolves with as many answers. */
function tcp(packets: Packet[]): Promise<Packet[]> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: address, port: PORT });
    const answers: Packet[] = [];
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        answers.push(decode(received.subarray(2, 2 + received.readUInt16BE(0))));
        received = received.subarray(2 + received.readUInt16BE(0));
      }
      if (answers.length === packets.length) {
        socket.destroy();
        resolve(answers);
      }
    });
    socket.write(Buffer.concat(packets.map((packet) => framed(encode({ type: 'query', flags: 0x0100, ...packet })))));
  });
}

beforeEach(() => {
  logged = [];
});

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

describe('of the cluster’s names', () => {
  test('Node’s own resolver finds addresses, ports and reverse names', async () => {
    await start();
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`${address}:${PORT}`]);
    expect(await resolver.resolve4('web.default.svc.cluster.local')).toEqual(['10.96.1.1']);
    expect(await resolver.resolveSrv('_http._tcp.web.default.svc.cluster.local')).toMatchObject([
      { name: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 100 },
    ]);
    expect(await resolver.reverse('10.96.1.1')).toEqual(['web.default.svc.cluster.local']);
    await expect(resolver.resolve4('none.default.svc.cluster.local')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve6('web.default.svc.cluster.local')).rejects.toMatchObject({ code: 'ENODATA' });
  });

  test('an answer repeats id, question spelling and “recursion desired”, and is authoritative', async () => {
    await start();
    const answer = await udp(question('WeB.default.SVC.cluster.local'));
    expect(answer).toMatchObject({ id: 4711, flag_aa: true, flag_rd: true, flag_ra: true, flag_tc: false });
    expect(answer.questions?.[0]?.name).toBe('WeB.default.SVC.cluster.local');
    expect(answer.answers).toMatchObject([{ name: 'WeB.default.SVC.cluster.local', ttl: 5, data: '10.96.1.1' }]);
  });

  test('a change is seen by the next question', async () => {
    await start();
    server.update('default/new', { service: service('new', { clusterIP: '10.96.7.7' }), slices: [] });
    server.update('default/web', { service: undefined, slices: [] });
    expect(datas(await udp(question('new.default.svc.cluster.local')))).toEqual(['10.96.7.7']);
    expect(rcode(await udp(question('web.default.svc.cluster.local')))).toBe(3);
  });

  test('more than fits is cut off and said to be, and comes whole over TCP or with a larger buffer', async () => {
    await start();
    const name = 'many.default.svc.cluster.local';
    const small = await sendUdp(encode({ type: 'query', ...question(name) }));
    expect(small.length).toBeLessThanOrEqual(512);
    expect(decode(small)).toMatchObject({ flag_tc: true });
    expect(decode(small).answers).toHaveLength(29);
    const large = await sendUdp(encode({ type: 'query', ...question(name), additionals: [opt(4096)] }));
    expect(large.length).toBeGreaterThan(512);
    expect(large.length).toBeLessThanOrEqual(1232);
    expect(decode(large).additionals).toMatchObject([{ type: 'OPT' }]);
    const [whole = {}] = await tcp([question(name)]);
    expect(whole).toMatchObject({ flag_tc: false });
    expect(new Set(datas(whole)).size).toBe(120);
  });

  test('many questions on one TCP connection are all answered', async () => {
    await start();
    const ids = Array.from({ length: 200 }, (_, index) => index);
    const answers = await tcp(ids.map((id) => ({ ...question('web.default.svc.cluster.local'), id })));
    expect(answers.map((answer) => answer.id).sort((x, y) => Number(x) - Number(y))).toEqual(ids);
  });
});

describe('of other names', () => {
  test('upstream answers, as it is, over the transport that the client used', async () => {
    const first = await upstream(({ name }) => ({ answers: [a(name, '192.0.2.1')] }));
    await start([first]);
    expect(datas(await udp(question('example.com')))).toEqual(['192.0.2.1']);
    const [over = {}] = await tcp([question('example.org')]);
    expect(datas(over)).toEqual(['192.0.2.1']);
    expect(first.asked).toEqual([
      { name: 'example.com', transport: 'udp' },
      { name: 'example.org', transport: 'tcp' },
    ]);
  });

  test('an answer is kept for its TTL, which grows smaller, and is given out under the asker’s own id and spelling', async () => {
    const first = await upstream(({ name }) => ({ answers: [a(name, '192.0.2.1', 20)] }));
    await start([first]);
    await udp(question('example.com'));
    nowMs += 7000;
    const kept = await udp({ ...question('EXAMPLE.com'), id: 99 });
    expect(kept).toMatchObject({ id: 99, answers: [{ ttl: 13, data: '192.0.2.1' }] });
    expect(kept.questions?.[0]?.name).toBe('EXAMPLE.com');
    expect(first.asked).toHaveLength(1);
    nowMs += 13_000;
    await udp(question('example.com'));
    expect(first.asked).toHaveLength(2);
  });

  test('“there is none” is kept for as long as its SOA says', async () => {
    const data = { mname: 'ns', rname: 'x', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 9 };
    const soa = { type: 'SOA', name: 'com', ttl: 900, data } as Answer;
    const first = await upstream(() => ({ flags: 3, authorities: [soa] }));
    await start([first]);
    expect(rcode(await udp(question('none.example.com')))).toBe(3);
    nowMs += 8000;
    expect(rcode(await udp(question('none.example.com')))).toBe(3);
    expect(first.asked).toHaveLength(1);
    nowMs += 1000;
    await udp(question('none.example.com'));
    expect(first.asked).toHaveLength(2);
  });

  test('where the first server is silent the next answers, and is asked first from then on', async () => {
    const silent = await upstream(() => 'silence');
    const second = await upstream(({ name }) => ({ answers: [a(name, '192.0.2.2')] }));
    await start([silent, second]);
    expect(datas(await udp(question('one.example.com')))).toEqual(['192.0.2.2']);
    expect(datas(await udp(question('two.example.com')))).toEqual(['192.0.2.2']);
    expect(silent.asked.map((each) => each.name)).toEqual(['one.example.com']);
  });

  test('where the first server fails or refuses the next answers', async () => {
    const failing = await upstream(() => ({ flags: 2 }));
    const refusing = await upstream(() => ({ flags: 5 }));
    const third = await upstream(({ name }) => ({ answers: [a(name, '192.0.2.3')] }));
    await start([failing, refusing, third], { patienceMs: 60_000, deadlineMs: 60_000 });
    expect(datas(await udp(question('example.com')))).toEqual(['192.0.2.3']);
  });

  test('where no server answers the client is told so, and the log says it once', async () => {
    const silent = await upstream(() => 'silence');
    await start([silent]);
    expect(rcode(await udp(question('one.example.com')))).toBe(2);
    await server.stop();
    await start();
    expect(rcode(await udp(question('one.example.com')))).toBe(2);
    expect(rcode(await udp(question('two.example.com')))).toBe(2);
    expect(logged.filter((line) => line.includes('does not answer'))).toHaveLength(1);
  });

  test('an external name comes with the addresses behind it, cut-off answers being asked for again over TCP', async () => {
    const cutting = await upstream(() => 'cut');
    await start([cutting]);
    const answer = await udp(question('out.default.svc.cluster.local'));
    expect(answer.answers).toMatchObject([
      { type: 'CNAME', name: 'out.default.svc.cluster.local', data: 'www.example.com' },
      { type: 'A', name: 'www.example.com', data: '192.0.2.99' },
    ]);
    expect(cutting.asked.map((each) => each.transport)).toEqual(['udp', 'tcp']);
  });

  test('a server that answers another question is not believed', async () => {
    const lying = await upstream(() => ({ questions: [{ type: 'A', name: 'other.example.com' }] }));
    await start([lying]);
    expect(rcode(await udp(question('example.com')))).toBe(2);
  });
});

describe('a message that is no proper query', () => {
  const header = (flags: number, questions: number) => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt16BE(77, 0);
    bytes.writeUInt16BE(flags, 2);
    bytes.writeUInt16BE(questions, 4);
    return bytes;
  };

  test.each<[string, Buffer, number]>([
    ['a name that runs over the end', Buffer.concat([header(0, 1), Buffer.from([60, 1, 2])]), 1],
    ['no question', header(0, 0), 1],
    ['two questions', Buffer.concat([header(0, 2), Buffer.from([0, 0, 1, 0, 1, 0, 0, 1, 0, 1])]), 1],
    ['a notify', Buffer.concat([header(0x2000, 1), Buffer.from([0, 0, 6, 0, 1])]), 4],
    ['another class', encode({ type: 'query', id: 77, questions: [{ type: 'A', name: 'x', class: 'CH' }] }), 5],
    ['a zone transfer', encode({ type: 'query', id: 77, questions: [{ type: 'AXFR', name: 'cluster.local' }] }), 5],
  ])('%s gets its code', async (_name, message, expected) => {
    await start();
    const answer = await sendUdp(message);
    expect(answer.readUInt16BE(0)).toBe(77);
    expect(answer.readUInt16BE(2) & 0x800f).toBe(0x8000 | expected);
  });

  test('a later version of EDNS is answered with the one that is spoken', async () => {
    await start();
    const answer = await udp({ ...question('web.default.svc.cluster.local'), additionals: [opt(1232, 3)] });
    expect(answer.answers).toEqual([]);
    expect(answer.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
  });

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['half a header', Buffer.alloc(7)],
    ['a response', header(0x8000, 1)],
  ])('%s is passed over, and the next question answered', async (_name, message) => {
    await start();
    const socket = createSocket('udp4');
    socket.send(message, PORT, address);
    undo.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
    const answer = await udp(question('web.default.svc.cluster.local'));
    expect(datas(answer)).toEqual(['10.96.1.1']);
    expect(logged).toEqual([]);
  });

  test('bytes at random never stop the server (seed printed)', async () => {
    await start();
    let seed = Math.floor(Math.random() * 2 ** 31);
    console.log(`seed ${seed}`);
    const next = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed;
    };
    const socket = createSocket('udp4');
    undo.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
    const template = encode({ type: 'query', ...question('web.default.svc.cluster.local', 'SRV') });
    for (let round = 0; round < 500; round += 1) {
      const message = Buffer.from(template);
      for (let flip = 0; flip < 4; flip += 1) message[next() % message.length] = next() % 256;
      socket.send(message.subarray(0, 1 + (next() % message.length)), PORT, address);
      // Not more at once than a socket's buffer holds.
      if (round % 50 === 0) expect(rcode(await udp(question('web.default.svc.cluster.local')))).toBe(0);
    }
    expect(datas(await udp(question('web.default.svc.cluster.local')))).toEqual(['10.96.1.1']);
    expect(logged.filter((line) => line.includes('DNS query'))).toEqual([]);
  });
});

test('an address that is taken is named', async () => {
  await start();
  const second = new DnsServer({ log: () => undefined });
  const settings = { domain: 'cluster.local', addresses: [address], port: PORT, upstreams: [] };
  await expect(second.start(settings)).rejects.toThrow(`UDP ${address}:${PORT}: another DNS server listens there`);
});
