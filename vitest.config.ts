import { defineConfig } from 'vitest/config'

/** What a test needs is in its suffix. Only a run with tests that need the local stack starts it. */
const STACK_TESTS = ['test/**/*.int.test.ts', 'test/**/*.chaos.test.ts']

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: STACK_TESTS,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'stack',
          include: STACK_TESTS,
          globalSetup: ['test/support/global-setup.ts'],
          // The servers share the machine's cores with the tests: more files at once only make each slower.
          maxWorkers: 2,
          // Longer than the waits in a test, so that it is the wait that fails and says for what.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
