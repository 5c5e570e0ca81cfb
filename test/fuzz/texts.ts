/** Texts inside requests: selectors, quantities, rules, paths, tokens of pages, schedules, certificates. */
import { expect } from 'vitest';
import { canonicalQuantity, compareQuantities } from '../../shared/quantity.ts';
import { matchesLabels, parseFieldSelector, parseLabelSelector } from '../../shared/selectors.ts';
import { parseContinue, parseListOptions, parseResourceVersion } from '../../worker/http/list-options.ts';
import { negotiate } from '../../worker/http/negotiation.ts';
import { parseRequestInfo, splitTarget } from '../../worker/http/request-info.ts';
import { base64ErrorAt } from '../../worker/resources/base64.ts';
import { CelCompileError, CelCostError, CelEvaluationError, celEnvironment } from '../../worker/resources/cel.ts';
import { InvalidRequest, parseCertificateRequest } from '../../worker/resources/certificate-request.ts';
import { type CronSchedule, parseCronSchedule } from '../../worker/resources/cron-schedule.ts';
import { JsonPathError, parseJsonPath } from '../../worker/resources/json-path.ts';
import { matchesPattern, PatternError } from '../../worker/resources/regex.ts';
import { isRefusal } from './bodies.ts';
import { type Parser, textOf } from './parser.ts';

/** As much as a URL or a header can carry. */
const LONGEST_URL = 64 * 1024;
const is =
  (...classes: (new (...args: never[]) => Error)[]) =>
  (error: unknown): boolean =>
    classes.some((each) => error instanceof each);
const never = (): boolean => false;

const OBJECT = {
  metadata: { name: 'a', labels: { app: 'web', 'x/y': 'z' } },
  spec: { replicas: 3, ports: [{ port: 80, name: 'http' }, { port: 443 }], text: 'x'.repeat(200) },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
};
const WIDE = { ...OBJECT, list: Array.from({ length: 200_000 }, (_, index) => index) };
const rules = celEnvironment({ object: 'dyn', oldObject: 'dyn' });
const BROKEN_TEXT = ['\u0000', '\ud800', '\u2028', 'é', '\\', '%', '%00', '%zz', '%2e%2e', '..'];

class ScheduleError extends Error {}

/** The parser's errors are of any class; only what comes from here is one. */
function scheduleOf(text: string): CronSchedule {
  try {
    return parseCronSchedule(text, undefined);
  } catch (error) {
    throw new ScheduleError(String(error));
  }
}

export const TEXTS: Parser[] = [
  {
    name: 'a label selector',
    seeds: ['app=web,tier in (a,b),!old,x/y!=z,n>3', 'a notin (),b', 'environment==qa , tier'],
    tokens: [
      '=',
      '==',
      '!=',
      '!',
      ',',
      '(',
      ')',
      '<',
      '>',
      ' ',
      ' in ',
      ' notin ',
      'a',
      'x/',
      '/',
      '.',
      '-',
      '9',
      ...BROKEN_TEXT,
    ],
    longestBytes: LONGEST_URL,
    read: (bytes) => matchesLabels(parseLabelSelector(textOf(bytes)), OBJECT.metadata.labels),
    refuses: isRefusal,
  },
  {
    name: 'a field selector',
    seeds: ['metadata.name=web,spec.nodeName!=m1', 'a==b\\,c,d=\\=e'],
    tokens: ['=', '==', '!=', ',', '\\', '\\,', '\\=', 'a', '.', 'a=b,', ...BROKEN_TEXT],
    longestBytes: LONGEST_URL,
    read: (bytes) => parseFieldSelector(textOf(bytes)),
    refuses: isRefusal,
  },
  {
    name: 'a quantity',
    seeds: ['500m', '1.5Gi', '1e3', '-0.1', '+100Ei', '9223372036854775807', '.5', '1E'],
    tokens: [...'0123456789.eE+-numkMGTPi', '00', '1e40', 'Ki', ' ', ...BROKEN_TEXT],
    longestBytes: LONGEST_URL,
    read: (bytes) => {
      const canonical = canonicalQuantity(textOf(bytes));
      if (canonical === undefined) return;
      expect(canonicalQuantity(canonical), 'the canonical form of the canonical form').toBe(canonical);
      expect(compareQuantities(canonical, textOf(bytes))).toBe(0);
    },
    refuses: never,
  },
  {
    name: 'a CEL expression',
    seeds: [
      'object.spec.replicas <= 3 && object.metadata.name.matches("^[a-z]+$")',
      'object.spec.ports.all(p, p.port > 0 && has(p.name)) ? "a" : string(1 + 2)',
      '[1, 2, 3].map(x, x * 2).filter(x, x > 2).size() == 2 || {"a": 1}["a"] in [1]',
      'timestamp("2026-01-01T00:00:00Z") + duration("1h") > timestamp("2025-01-01T00:00:00Z")',
      'object.spec.text.replace("x", "yy").split("y").join("-").indexOf("--") > 0',
    ],
    tokens: [
      ...[
        '(',
        ')',
        '[',
        ']',
        '{',
        '}',
        ',',
        '.',
        '?',
        ':',
        '!',
        '-',
        '+',
        '%',
        '&&',
        '||',
        '==',
        ' in ',
        '"',
        "'",
        '"""',
        'r"',
        'b"',
        '\\u0041',
        '\n',
        '//',
      ],
      ...[
        'object',
        'object.',
        '.size()',
        '.map(x, ',
        '.all(x, ',
        'has(',
        '[1,',
        '{1:',
        '1+',
        '!!',
        '--',
        'true?',
        'x.',
        '"a"+',
        '1u',
        '1e999',
        '0x',
        '9223372036854775808',
        'quantity("',
        'null',
      ],
      ...BROKEN_TEXT,
    ],
    longestBytes: LONGEST_URL,
    read: (bytes) => rules.compile(textOf(bytes)).evaluate({ object: OBJECT, oldObject: null }),
    refuses: is(CelCompileError, CelEvaluationError, CelCostError),
  },
  {
    name: 'a pattern',
    seeds: ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', '(a|b|c){1,10}.*x+?', '\\p{L}\\d[^\\s]', '(?i)(?P<name>x)'],
    tokens: [
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '*',
      '+',
      '?',
      '|',
      '^',
      '$',
      '.',
      '\\',
      '{1000}',
      '{1,}',
      '(?i)',
      '(?P<a>',
      '\\p{L}',
      '\\Q',
      '[^',
      'a-z',
      'x*',
      '(x*)*',
      '(x{30}){30}',
      ...BROKEN_TEXT,
    ],
    longestBytes: 4096,
    read: (bytes) => matchesPattern(textOf(bytes), OBJECT.spec.text),
    refuses: is(PatternError),
  },
  {
    name: 'a JSONPath',
    seeds: [
      '.spec.replicas',
      '.status.conditions[?(@.type=="Ready")].status',
      "$['metadata'].labels['x/y']",
      '.list[0:10:2]',
      '..name',
      '.spec.ports[*].port',
      '.list[0,1,-1]',
    ],
    tokens: [
      '.',
      '..',
      '[',
      ']',
      '*',
      '[*]',
      '[0:]',
      '?(',
      '@',
      ')',
      '==',
      '!=',
      '<',
      "'",
      '"',
      ',',
      ':',
      '-1',
      '$',
      '\\',
      '..a',
      '.list',
      '[*,',
      '*,',
      '[?(@',
      '.a',
      ...BROKEN_TEXT,
    ],
    longestBytes: 1024,
    read: (bytes) => {
      const path = parseJsonPath(textOf(bytes));
      path.find(OBJECT);
      path.find(WIDE);
    },
    refuses: is(JsonPathError),
  },
  {
    name: 'a URL',
    seeds: [
      'https://a/api/v1/namespaces/default/pods/web/log?follow=true&limit=5#x',
      'https://a/apis/apps/v1/watch/deployments?watch=1&resourceVersion=0&resourceVersionMatch=NotOlderThan',
      'https://a/clusters/x/apis/g/v/namespaces/a/b/c/d/e/f',
    ],
    tokens: [
      '/',
      '//',
      '?',
      '#',
      '&',
      '=',
      '%2f',
      '%25',
      'api',
      '/api/v1/',
      'namespaces/',
      'watch/',
      'limit=',
      'a/',
      '+',
      ';',
      ...BROKEN_TEXT,
    ],
    longestBytes: LONGEST_URL,
    read: (bytes) => {
      const { path, query } = splitTarget(textOf(bytes));
      for (const method of ['GET', 'DELETE']) parseRequestInfo(method, path, query);
      for (const watch of [true, false])
        parseResourceVersion(parseListOptions(new URLSearchParams(query), watch).resourceVersion);
    },
    refuses: isRefusal,
  },
  {
    name: 'a continue token',
    seeds: [btoa('{"v":"meta.k8s.io/v1","rv":5,"start":"default/a","seen":3}')],
    tokens: ['=', 'e30', 'bnVsbA', 'W10', '-', '_', ' ', btoa('{"v":'), btoa('"a"'), ...BROKEN_TEXT],
    longestBytes: LONGEST_URL,
    read: (bytes) => parseContinue(textOf(bytes)),
    refuses: isRefusal,
  },
  {
    name: 'an Accept header',
    seeds: [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
      'application/vnd.kubernetes.protobuf, */*;q=0.1',
    ],
    tokens: [',', ';', '=', '"', 'q=', 'as=Table', 'application/json', '*/*', ';q=0.5,', ' '],
    longestBytes: LONGEST_URL,
    read: (bytes) => {
      // What a header cannot hold does not arrive.
      const accept = textOf(bytes).replace(/[^\x20-\x7e]/g, '');
      return negotiate(new Headers({ accept }), new URLSearchParams(), ['Table', 'PartialObjectMetadata']);
    },
    refuses: isRefusal,
  },
  {
    name: 'a schedule',
    seeds: ['*/5 0-3 1,15 * MON-FRI', '@every 1h30m', '@daily', '0 0 29 2 *', '0 0 31 2 *'],
    tokens: [
      '*',
      '/',
      '-',
      ',',
      ' ',
      '?',
      '0',
      '9',
      '60',
      '99999999999999999999',
      'JAN',
      'SUN',
      '@every ',
      '@',
      'h',
      'm',
      '1.5',
      'L',
      '#',
    ],
    longestBytes: LONGEST_URL,
    read: (bytes) => {
      const next = scheduleOf(textOf(bytes)).next(Date.UTC(2026, 0, 1));
      if (next !== undefined) expect(new Date(next).getTime(), 'a time that can be written').toBe(next);
    },
    refuses: is(ScheduleError),
  },
  {
    name: 'a certificate request',
    seeds: [
      btoa(
        `-----BEGIN CERTIFICATE REQUEST-----\n${btoa('\x30\x20\x30\x10\x02\x01\x00\x30\x00\x30\x03\x06\x01\x2a\xa0\x00\x30\x03\x06\x01\x2a\x03\x02\x00\x01')}\n-----END CERTIFICATE REQUEST-----\n`,
      ),
    ],
    tokens: [btoa('-----BEGIN '), btoa('-----'), btoa('\x30\x84'), btoa('\x06\x7f'), '=', 'LS0t', '\n', 'A', '-'],
    longestBytes: 256 * 1024,
    read: (bytes) => {
      // What is not base64 is no value of the field.
      if (base64ErrorAt(textOf(bytes)) === undefined) parseCertificateRequest(textOf(bytes));
    },
    refuses: is(InvalidRequest),
  },
];
