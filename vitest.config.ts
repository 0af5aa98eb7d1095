import { defineConfig } from 'vitest/config'
import { ChaosFirst } from './test/support/chaos-first.ts'

/** What a test needs is in its suffix. Only a run with tests that need the local stack starts it. */
const STACK_TESTS = ['test/**/*.int.test.ts', 'test/**/*.chaos.test.ts']
/** These replace modules, and no other file may meet those in their place. */
const MOCK_TESTS = ['test/**/*.mock.test.ts']

export default defineConfig({
  test: {
    sequence: { sequencer: ChaosFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...STACK_TESTS, ...MOCK_TESTS],
          // The files of a worker share their modules: to load them again for each costs more time than the tests themselves.
          isolate: false,
          maxWorkers: 2,
          testTimeout: 60_000,
        },
      },
      { test: { name: 'mock', include: MOCK_TESTS, maxWorkers: 2, testTimeout: 60_000 } },
      {
        test: {
          name: 'stack',
          include: STACK_TESTS,
          globalSetup: ['test/support/global-setup.ts'],
          sequence: { groupOrder: 1 },
          // One more than there are cores at least: most of these tests wait for servers and processes most of the time.
          maxWorkers: 3,
          // Longer than the waits in a test, so that it is the wait that fails and says for what.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
