/**
 * Three kinds of test: pure and Node (`unit`), inside workerd (`workerd`; `workerd-parts` for rooms without the whole Worker),
 * real hosts and Docker (`e2e`).
 */
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/** For what hangs, not for what is slow: nothing here asserts a time, and the machine may be busy. */
const HANGS_MS = 60_000;

const root = new URL('..', import.meta.url).pathname;

export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: 'unit',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
          include: ['test/**/*.test.ts'],
          exclude: ['test/workerd/**', 'test/e2e/**', 'test/**/*.host.test.ts', '**/node_modules/**'],
        },
      },
      {
        root,
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              cf: false,
              bindings: {
                ROOT_SECRET: 'a-root-secret-for-tests-of-32-bytes',
                PUBLIC_URL: 'http://{name}.{namespace}.localhost:8080',
                API_URL: 'https://api.test',
                API_ADDRESS: '192.0.2.10:6443',
                // Nobody reads it: it is handed on, as a ConfigMap, to whoever is to trust it.
                CA_CERTIFICATE: '-----BEGIN CERTIFICATE-----\nof-the-tests\n-----END CERTIFICATE-----\n',
              },
            },
          }),
        ],
        test: {
          name: 'workerd',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
          include: ['test/workerd/**/*.test.ts'],
          exclude: ['test/workerd/store/**', '**/node_modules/**'],
        },
      },
      {
        root,
        plugins: [
          cloudflareTest({
            main: './test/workerd/support/parts-worker.ts',
            miniflare: {
              cf: false,
              compatibilityDate: '2026-10-23',
              compatibilityFlags: ['nodejs_compat'],
              durableObjects: {
                BARE: { className: 'Bare', useSQLite: true },
                KEYSPACE: { className: 'KeyspaceObject', useSQLite: true },
              },
            },
          }),
        ],
        test: {
          name: 'workerd-parts',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
          include: ['test/workerd/store/**/*.test.ts'],
        },
      },
      {
        root,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/**/*.host.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
