import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { apiAddressOf, PROJECT } from '../../../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../../../agent/cli/control-plane/layout.ts';
import { readCompatibility, workerdConfig } from '../../../../agent/cli/control-plane/workerd-config.ts';

const GOLDEN = `# Written at each start; changes are lost.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  v8Flags = ["--max-semi-space-size=4"],
  services = [
    (name = "longshore", worker = .worker),
    (name = "objects", disk = (path = "/data/control-plane/objects", writable = true)),
    (name = "assets", disk = (path = "/clone/worker/public")),
  ],
  sockets = [
    (name = "api-0", address = "127.0.0.1:6443", service = "longshore", https = (options = (), tlsOptions = (keypair = (privateKey = embed "../pki/server.key", certificateChain = embed "../pki/server.crt")))),
    (name = "api-1", address = "[2001:db8::7]:6443", service = "longshore", https = (options = (), tlsOptions = (keypair = (privateKey = embed "../pki/server.key", certificateChain = embed "../pki/server.crt")))),
    (name = "public-0", address = "127.0.0.1:8080", service = "longshore", http = ()),
  ],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "bundles/abc.mjs")],
  compatibilityDate = "2026-10-23",
  compatibilityFlags = ["a_flag"],
  durableObjectNamespaces = [
    (className = "Cluster", uniqueKey = "longshore-cluster", enableSql = true),
    (className = "Relay", uniqueKey = "longshore-relay", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [
    (name = "CLUSTER", durableObjectNamespace = "Cluster"),
    (name = "RELAY", durableObjectNamespace = "Relay"),
    (name = "ROOT_SECRET", text = embed "../root-secret"),
    (name = "PUBLIC_URL", text = "http://{name}.{namespace}.localhost:8080"),
    (name = "API_URL", text = "https://127.0.0.1:6443"),
    (name = "CA_CERTIFICATE", text = embed "../pki/ca.crt"),
    (name = "CA_KEY", text = embed "../pki/ca.key"),
    (name = "ASSETS", service = "assets"),
  ],
);
`;

describe("workerd's configuration", () => {
  test('is this text', () => {
    const layout = layoutOf('/data');
    const text = workerdConfig(layout, {
      compatibility: { date: '2026-10-23', flags: ['a_flag'] },
      bundlePath: `${layout.bundles}/abc.mjs`,
      assetsPath: '/clone/worker/public',
      apiSockets: ['127.0.0.1:6443', '[2001:db8::7]:6443'],
      publicSockets: ['127.0.0.1:8080'],
      apiUrl: 'https://127.0.0.1:6443',
      publicUrl: 'http://{name}.{namespace}.localhost:8080',
    });
    expect(text).toBe(GOLDEN);
  });

  test('escapes what a path may hold', () => {
    const layout = layoutOf('/data "x"');
    const text = workerdConfig(layout, {
      compatibility: { date: '2026-10-23', flags: [] },
      bundlePath: `${layout.bundles}/abc.mjs`,
      assetsPath: '/clone',
      apiSockets: [],
      publicSockets: [],
      apiUrl: '',
      publicUrl: '',
    });
    expect(text).toContain('path = "/data \\"x\\"/control-plane/objects"');
  });
});

describe('compatibility', () => {
  test('is read from wrangler.toml, without the flags that the date switches on', () => {
    const toml = 'compatibility_date = "2026-10-23"\ncompatibility_flags = ["nodejs_compat", "other"]\n';
    expect(readCompatibility(toml)).toEqual({ date: '2026-10-23', flags: ['other'] });
  });

  test('keeps a flag that an older date does not have yet', () => {
    const toml = 'compatibility_date = "2026-01-01"\ncompatibility_flags = ["nodejs_compat"]\n';
    expect(readCompatibility(toml)).toEqual({ date: '2026-01-01', flags: ['nodejs_compat'] });
  });

  test('is there in the real file', () => {
    const { date } = readCompatibility(readFileSync(`${PROJECT}/wrangler.toml`, 'utf8'));
    expect(date).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  test('is missed by name', () => {
    expect(() => readCompatibility('name = "x"\n')).toThrow('wrangler.toml names no compatibility date and flags');
  });
});

describe('the address by which pods reach the API', () => {
  test.each([
    [[], undefined],
    [['127.0.0.1'], undefined],
    [['127.0.0.1', '192.0.2.7'], '192.0.2.7:6443'],
    [['2001:db8::7'], '[2001:db8::7]:6443'],
    [['0.0.0.0'], '198.51.100.1:6443'],
  ])('of %j is %s', (listen, expected) => {
    expect(apiAddressOf({ listen, apiPort: 6443 }, ['198.51.100.1', '198.51.100.2'])).toBe(expected);
  });

  test('is a binding of the Worker where there is one', () => {
    const layout = layoutOf('/data');
    const settings = {
      compatibility: { date: '2026-10-23', flags: [] },
      bundlePath: '/b.mjs',
      assetsPath: '/clone',
      apiSockets: [],
      publicSockets: [],
      apiUrl: '',
      publicUrl: '',
    };
    expect(workerdConfig(layout, settings)).not.toContain('API_ADDRESS');
    expect(workerdConfig(layout, { ...settings, apiAddress: '192.0.2.7:6443' })).toContain(
      '(name = "API_ADDRESS", text = "192.0.2.7:6443"),',
    );
  });
});
