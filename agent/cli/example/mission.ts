/**
 * The example of the mission, from manifest to answering Services: images seen to, objects created, pods watched until they
 * are ready, both Services asked through the public port. What is printed on the way is `progress-table.ts`.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { DEPLOYMENTS } from '../../../shared/api/apps.ts';
import { CONFIG_MAPS, type Event, PODS, type Pod, SERVICES, type Service } from '../../../shared/api/core.ts';
import { URL_ANNOTATION } from '../../../shared/api/longshore.ts';
import { apiVersionOf, type Identity, type KubeList, type KubeObject } from '../../../shared/api/meta.ts';
import type { ApiClient } from '../api-client.ts';
import { PROJECT } from '../control-plane/control-plane.ts';
import { type EngineApi, hasImage, whyNotPullable } from '../images/engine-api.ts';
import { makeImage, RECIPES } from '../images/from-packages.ts';
import { imagesOf, substituteImages } from '../images/references.ts';
import { type PodRow, rowOf } from './pod-row.ts';

export const MANIFEST = join(PROJECT, 'worker/public/examples/mission.yaml');
export const NAMESPACE = 'default';
const SELECTOR = 'example=mission';

export function readManifest(path = MANIFEST): KubeObject[] {
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]?.message}`);
    return document.toJS() as KubeObject;
  });
}

const KINDS: readonly Identity[] = [CONFIG_MAPS, DEPLOYMENTS, SERVICES];

export function collectionPath(identity: Identity, namespace: string): string {
  const prefix = identity.group === '' ? '/api' : '/apis';
  return `${prefix}/${apiVersionOf(identity)}/namespaces/${namespace}/${identity.resource}`;
}

function pathOf(object: KubeObject): string {
  const identity = KINDS.find((each) => each.kind === object.kind && apiVersionOf(each) === object.apiVersion);
  if (identity === undefined)
    throw new Error(`the example has a ${object.kind} (${object.apiVersion}), which is not created here`);
  return collectionPath(identity, NAMESPACE);
}

/** Which images of these objects the engine neither has nor can get, and the first reason. */
async function unavailableImages(engine: EngineApi, objects: readonly KubeObject[]) {
  const looked = await Promise.all(
    imagesOf(objects).map(async (image) => ({
      image,
      why: (await hasImage(engine, image)) ? undefined : await whyNotPullable(engine, image),
    })),
  );
  const failed = looked.filter((each) => each.why !== undefined);
  return { images: new Set(failed.map((each) => each.image)), why: failed[0]?.why };
}

/** Creates what is not there yet. What is there is its owner's: a replica count that was changed stays. */
async function createMissing(client: ApiClient, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const path = pathOf(object);
    const found = await client.request('GET', `${path}/${object.metadata.name}`);
    if (found.status === 404) await client.json('POST', `${path}?fieldManager=longshore`, object);
    else if (found.status !== 200)
      throw new Error(`${object.kind} ${object.metadata.name}: ${found.body.toString('utf8')}`);
  }
}

const isThere = async (client: ApiClient, objects: readonly KubeObject[]): Promise<boolean> => {
  const found = await Promise.all(
    objects.map((each) => client.request('GET', `${pathOf(each)}/${each.metadata.name}`)),
  );
  return found.every((each) => each.status === 200);
};

/** Creates the example; images that cannot be pulled are made first. @param say one line each about what is not as written */
export async function applyMission(client: ApiClient, engine: EngineApi, say: (line: string) => void): Promise<void> {
  const objects = readManifest();
  if (await isThere(client, objects)) return;
  const unavailable = await unavailableImages(engine, objects);
  const { objects: usable, made, said } = substituteImages(objects, unavailable.images);
  if (unavailable.why !== undefined) {
    say(
      `No image registry can be reached (${unavailable.why}); images are made from this machine's packages: ${said.join('; ')}.`,
    );
  }
  for (const recipe of RECIPES.filter((each) => made.includes(each.image))) {
    if (!(await hasImage(engine, recipe.image))) await makeImage(engine, recipe);
  }
  await createMissing(client, usable);
}

// ---- Watching it start ----------------------------------------------------------------------------------------------

/** Keeps a list of objects up to date by a watch, until `signal` aborts. */
async function follow<T extends KubeObject>(
  client: ApiClient,
  path: string,
  signal: AbortSignal,
  onChange: (objects: ReadonlyMap<string, T>) => void,
): Promise<void> {
  const objects = new Map<string, T>();
  while (!signal.aborted) {
    const list = await client.json<KubeList<T>>('GET', path);
    objects.clear();
    for (const each of list.items) objects.set(each.metadata.name, each);
    onChange(objects);
    const from = `resourceVersion=${list.metadata.resourceVersion}`;
    for await (const event of client.watch<T>(`${path}${path.includes('?') ? '&' : '?'}watch=1&${from}`, signal)) {
      // Expired, or the server's time for a watch is over: list again.
      if (event.type === 'ERROR') break;
      if (event.type === 'BOOKMARK') continue;
      if (event.type === 'DELETED') objects.delete(event.object.metadata.name);
      else objects.set(event.object.metadata.name, event.object);
      onChange(objects);
    }
  }
}

/**
 * Shows the example's pods until `done` says so.
 * @throws when that takes longer than the deadline, with the rows as they are then
 */
export async function watchMission(
  client: ApiClient,
  show: (rows: readonly PodRow[]) => void,
  done: (rows: readonly PodRow[]) => boolean,
  deadlineMs: number,
): Promise<void> {
  const stop = new AbortController();
  let pods: ReadonlyMap<string, Pod> = new Map();
  let events: ReadonlyMap<string, Event> = new Map();
  let rows: PodRow[] = [];
  const finished = Promise.withResolvers<void>();
  const look = () => {
    rows = [...pods.values()]
      .map((pod) => rowOf(pod, [...events.values()]))
      .sort((a, b) => a.name.localeCompare(b.name));
    show(rows);
    if (done(rows)) finished.resolve();
  };
  const timer = setTimeout(() => {
    const state = rows.map(
      (row) => `  ${row.name}: ${row.containers.map((each) => `${each.name} ${each.state}`).join(', ')} ${row.trouble}`,
    );
    finished.reject(new Error(`the example is not ready after ${deadlineMs / 1000} s:\n${state.join('\n')}`));
  }, deadlineMs);
  const watches = [
    follow<Pod>(client, `${collectionPath(PODS, NAMESPACE)}?labelSelector=${SELECTOR}`, stop.signal, (found) => {
      pods = found;
      look();
    }),
    follow<Event>(client, `/api/v1/namespaces/${NAMESPACE}/events`, stop.signal, (found) => {
      events = found;
      look();
    }),
  ];
  const broken = Promise.all(watches).then(() => undefined);
  try {
    await Promise.race([finished.promise, broken]);
  } finally {
    clearTimeout(timer);
    stop.abort();
    // The watches end by the abort; an error that came first has been thrown by the race already.
    await Promise.allSettled(watches);
  }
}

// ---- Asking the Services --------------------------------------------------------------------------------------------

export interface PublicAnswer {
  status: number;
  body: string;
}

/** GET through the public port, by the URL's host name, whatever this machine's resolver makes of `*.localhost`. */
export function askPublic(url: string): Promise<PublicAnswer> {
  const { hostname, port, pathname } = new URL(url);
  const isLocal = hostname.endsWith('.localhost');
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: isLocal ? '127.0.0.1' : hostname,
        port,
        path: pathname,
        headers: { host: `${hostname}:${port}` },
        timeout: 5000,
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
      },
    );
    sent.once('timeout', () => sent.destroy(new Error(`${url} did not answer within 5 s`)));
    sent.once('error', reject);
    sent.end();
  });
}

export interface AnsweringService {
  name: string;
  url: string;
}

/**
 * Waits until each public Service of the example answers with its page.
 * @throws at the deadline, with what was last seen
 */
export async function verifyServices(client: ApiClient, deadlineMs: number): Promise<AnsweringService[]> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const { items } = await client.json<KubeList<Service>>(
      'GET',
      `${collectionPath(SERVICES, NAMESPACE)}?labelSelector=${SELECTOR}`,
    );
    const looked = await Promise.all(items.map(lookAt));
    if (items.length > 0 && looked.every((each) => each.why === undefined)) {
      return looked.map(({ name, url }) => ({ name, url }));
    }
    if (Date.now() > deadline) {
      const state = looked.map((each) => `  ${each.name} ${each.url}: ${each.why ?? 'answers'}`);
      throw new Error(`not every Service answers after ${deadlineMs / 1000} s:\n${state.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** `why` is undefined when the Service answers, its page filled in by the database. */
async function lookAt(service: Service): Promise<AnsweringService & { why?: string }> {
  const { name, annotations } = service.metadata;
  const url = annotations?.[URL_ANNOTATION];
  if (url === undefined) return { name, url: '', why: 'has no URL yet' };
  try {
    const { status, body } = await askPublic(url);
    if (status !== 200) return { name, url, why: `answered ${status}: ${body.slice(0, 200)}` };
    return /\d+ visits, says/.test(body)
      ? { name, url }
      : { name, url, why: `answered without its database: ${body.slice(0, 300)}` };
  } catch (error) {
    return { name, url, why: error instanceof Error ? error.message : String(error) };
  }
}
