/** Every input that ever broke a parser, by the parser's name: what it did, and the input. */
type Inputs = readonly [what: string, input: string | Uint8Array | (() => string | Uint8Array)][];

const operations = (count: number, operation: (at: number) => object): string =>
  JSON.stringify(Array.from({ length: count }, (_, at) => operation(at)));
const NAMES = Array.from({ length: 20_000 }, (_, at) => `n${at}`);
const podSpec = (spec: object): string => JSON.stringify({ spec: { template: { spec } } });

/** A protobuf field with bytes in it. */
function field(number: number, payload: Uint8Array): Buffer {
  const length: number[] = [];
  for (let left = payload.length; left > 0 || length.length === 0; left >>>= 7) {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), payload]);
}

/** A ControllerRevision whose data, which is JSON inside protobuf, nests so deep. */
function revisionWithData(depth: number): Uint8Array {
  const typeMeta = Buffer.concat([field(1, Buffer.from('apps/v1')), field(2, Buffer.from('ControllerRevision'))]);
  const data = field(2, field(1, Buffer.from('['.repeat(depth) + ']'.repeat(depth))));
  return Buffer.concat([Buffer.from('k8s\0'), field(1, typeMeta), field(2, data)]);
}

export const REGRESSIONS: Record<string, Inputs> = {
  'a YAML body': [
    ['quotes in a row took seconds, for each was an error of its own', () => '"'.repeat(1024 * 1024)],
    ['so did brackets that close nothing', () => '}'.repeat(1024 * 1024)],
    ['and second anchors', () => '&a '.repeat(350_000)],
    [
      'a text that many aliases share was counted as one each',
      () => `- &a "${'x'.repeat(100_000)}"\n${'- *a\n'.repeat(90)}`,
    ],
    ['line ends of old systems were not counted as lines', () => `|\n${'\r'.repeat(3_000_000)}`],
    ['a place that is mended again and again', () => `a: [\n${'b,\n'.repeat(20_000)}]`],
  ],
  'a protobuf body': [['JSON inside nested so deep that the stack ended', () => revisionWithData(100_000)]],
  'a JSON patch': [
    [
      'copies of copies doubled the object each time',
      () => operations(40, (at) => ({ op: 'copy', from: '/spec', path: `/spec/c${at}` })),
    ],
    [
      'moves nested an object deeper than any may be sent',
      () =>
        operations(
          9000,
          (at) =>
            [
              { op: 'move', from: '/spec', path: '/kept' },
              { op: 'add', path: '/spec', value: {} },
              { op: 'move', from: '/kept', path: '/spec/below' },
            ][at % 3] ?? {},
        ),
    ],
  ],
  'a strategic merge patch': [
    ['each value of a list was compared with each', () => JSON.stringify({ metadata: { finalizers: NAMES } })],
    ['each item of a list was looked for among all', () => podSpec({ containers: NAMES.map((name) => ({ name })) })],
    [
      'each item was looked for in the order',
      () =>
        podSpec({
          '$setElementOrder/containers': NAMES.toReversed().map((name) => ({ name })),
          containers: NAMES.map((name) => ({ name })),
        }),
    ],
    [
      'each value was looked for among those to delete',
      () => JSON.stringify({ metadata: { '$deleteFromPrimitiveList/finalizers': NAMES, finalizers: NAMES } }),
    ],
    [
      'each key was looked for among those to retain',
      () =>
        JSON.stringify({
          metadata: { labels: { ...Object.fromEntries(NAMES.map((name) => [name, '1'])), $retainKeys: NAMES } },
        }),
    ],
  ],
  'an apply patch': [
    ['a key named __proto__ was lost', '{"metadata":{"annotations":{"__proto__":"x","a":"b"}}}'],
    [
      'each item of a list was looked for among those that wait',
      () => podSpec({ containers: [...['b', 'a'], ...NAMES].map((name) => ({ name })) }),
    ],
  ],
  'managed fields': [
    ['a field that is no object', '{"f:spec":null}'],
    ['a key that is no JSON', '{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{":{"f:image":{}}}}}}}'],
    [
      'a key with something behind it',
      '{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\\"name\\":\\"a\\"}:":{"f:image":{}}}}}}}',
    ],
  ],
  'a CEL expression': [
    ['an error at the very beginning, which is the end of a line, had no column', () => '\n--'.repeat(21_845)],
  ],
  'a JSONPath': [
    ['a list longer than a call has arguments', '..n'],
    ['all of a list, again and again, before anybody counted', () => `.list[${Array(500).fill('*').join()}]`],
  ],
  'a URL': [
    ['slashes in the middle, looked at from each of them to the end', () => `https://a/api/${'/'.repeat(60_000)}a`],
  ],
  'a schedule': [['an interval for ever', () => `@every ${'9'.repeat(400)}h`]],
  'a certificate request': [
    [
      'a PEM block that is not base64 inside',
      btoa('-----BEGIN CERTIFICATE REQUEST-----\n=AAA\n-----END CERTIFICATE REQUEST-----\n'),
    ],
  ],
};
