import { configDefaults, defineConfig } from 'vitest/config'

// `source` resolves workspace packages to their TypeScript, so that tests need no build. Vitest passes these to Node as
// well: naming `import` here would make Node's `require` take the wrong entry of packages that have both.
const conditions = ['source', 'node']

// Killing, pausing and cutting off takes minutes: `npm run test:crash` does it, and `npm test` leaves it out.
const crash = process.env['TIDEGATE_CRASH_TESTS'] === '1'

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['source'] } },
  // The environment that Vitest runs the global setup in, which inherits neither of the two above.
  environments: { __vitest__: { resolve: { conditions, externalConditions: ['source'] } } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(crash ? [] : ['tests/crash/**'])],
    globalSetup: ['tests/support/global-setup.ts'],
    // Processes, because some tests send signals, and because one test file must not see another's module state.
    pool: 'forks',
    // The tests wait for PostgreSQL more than they compute.
    maxWorkers: '100%',
    // For what hangs. A machine that others keep busy takes several times as long as a quiet one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
  },
})
