import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { CustomTransform } from '../../../consumers/transforms/custom.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { type Declaration, describeProblems } from '../declaration.ts'
import { didYouMean, type Problem, shownName } from '../problem.ts'

/** The file of the user's own transforms, and where the declaration asks for them. */
export interface DeclaredTransforms {
  /** Absolute. */
  readonly file: string
  /** Where it is declared; without a message. */
  readonly place: Problem
  readonly uses: readonly { readonly name: string; readonly place: Problem }[]
  /** Empty until {@link loadTransforms}; the mappings take them from here. */
  readonly functions: Map<string, CustomTransform>
}

/** How much of what a file says for itself when it fails to load is passed on. */
const REASON_CHARACTERS_MAX = 200

/**
 * Loads the file of custom transforms, for commands that deliver or preview. Once for a declaration; again it does nothing.
 * @throws TributaryError `declaration-invalid` with everything that is wrong with it
 */
export async function loadTransforms(declaration: Declaration): Promise<void> {
  const problems = await transformProblems(declaration)
  if (problems.length > 0)
    throw new TributaryError('declaration-invalid', describeProblems(declaration.file, problems), {
      cause: new Error('custom transforms'),
    })
}

/** Loads the file of custom transforms. @returns what is wrong with it, in the order of the declaration */
export async function transformProblems({ transforms }: Declaration): Promise<readonly Problem[]> {
  if (transforms === null || transforms.functions.size > 0) return []
  const { file, place, uses, functions } = transforms
  if (!existsSync(file))
    return [{ ...place, message: 'the file does not exist', suggestion: 'the path begins where the declaration is' }]
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = await import(pathToFileURL(file).href)
  } catch (error) {
    return [{ ...place, message: `the file cannot be loaded: ${reasonOf(error)}` }]
  }
  const problems: Problem[] = []
  for (const { name, place: at } of uses) {
    const found = Object.hasOwn(exported, name) ? exported[name] : undefined
    if (typeof found === 'function') functions.set(name, found as CustomTransform)
    else if (found === undefined) {
      const suggestion =
        didYouMean(name, Object.keys(exported)) ?? `write \`export const ${name}: CustomTransform = …\``
      problems.push({ ...at, message: `the file of transforms exports no ${shownName(name)}`, suggestion })
    } else problems.push({ ...at, message: `the export ${shownName(name)} of the file of transforms is no function` })
  }
  if (problems.length > 0) functions.clear()
  return problems
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it threw something that is no error'
  const [line = ''] = error.message.split('\n')
  return `${error.name}: ${line.slice(0, REASON_CHARACTERS_MAX)}`
}
