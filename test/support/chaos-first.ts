import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that break the stack take longest and are often short as texts, so that the usual order, by size, would start them last and leave
 * the other workers idle at the end.
 */
export class ChaosFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const byProject = Map.groupBy(await super.sort(files), ({ project }) => project)
    return [...byProject.values()].flatMap((inOrder) => {
      const { chaos = [], rest = [] } = Object.groupBy(inOrder, ({ moduleId }) =>
        moduleId.endsWith('.chaos.test.ts') ? 'chaos' : 'rest',
      )
      return [...chaos, ...rest]
    })
  }
}
