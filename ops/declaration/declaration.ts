import { closeSync, openSync, readSync } from 'node:fs'
import type { Entity } from '../../schemas/entity.ts'
import { systemCode, TributaryError } from '../../schemas/errors.ts'
import { crossCheck } from './checks/cross-checks.ts'
import { checkForm } from './checks/form-checks.ts'
import type { TableName } from './notation.ts'
import { formatProblem, type Problem, SHOWN_PROBLEMS_MAX, sortProblems } from './problem.ts'
import { resolve } from './resolve.ts'
import type { DeclaredKafka, DeclaredRedis, DeclaredRegistry } from './servers/resolve.ts'
import type { DeclaredTransforms } from './subscribers/custom-transforms.ts'
import type { DeclaredSubscriber } from './subscribers/declared.ts'
import { type Environment, type ReadSecret, readSecretFile } from './yaml/environment.ts'
import { FILE_BYTES_MAX, locate } from './yaml/located.ts'

/** A checked `tributary.yaml`, with every default filled in and every reference followed. Holds secrets: never log it. */
export interface Declaration {
  readonly file: string
  /** The prefix of topics, groups and slots. */
  readonly name: string
  readonly kafka: DeclaredKafka
  readonly registry: DeclaredRegistry
  readonly redis: DeclaredRedis
  readonly ledger: { readonly fingerprintKey: string }
  readonly topics: {
    readonly deleteRetentionMs: number
    readonly erasureMs: number
    readonly minCompactionLagMs: number
  }
  /** Where large values are; null when they travel in their records. */
  readonly blobs: DeclaredBlobs | null
  readonly claims: { readonly aboveBytes: number; readonly recordBytesMax: number }
  /** The file of the user's own transforms; null for none. */
  readonly transforms: DeclaredTransforms | null
  readonly sources: ReadonlyMap<string, DeclaredSource>
  readonly entities: ReadonlyMap<string, DeclaredEntity>
  readonly subscribers: ReadonlyMap<string, DeclaredSubscriber>
}

export type DeclaredBlobs =
  | { readonly type: 'folder'; readonly keepMs: number; readonly path: string }
  | {
      readonly type: 's3'
      readonly keepMs: number
      readonly endpoint: string
      readonly bucket: string
      readonly region: string
      readonly prefix: string
      readonly accessKeyId: string
      readonly secretAccessKey: string
    }

export interface DeclaredSource {
  readonly name: string
  readonly type: 'postgres'
  readonly url: string
  readonly slot: string
  /** 0: no heartbeats. */
  readonly heartbeatMs: number
  /** Where warnings of kept log begin at a server without a limit. */
  readonly walWarningBytes: number
  readonly publication: string
  readonly snapshot: {
    readonly chunkRows: number
    readonly tables: number
    readonly rowsPerSecond?: number | undefined
  }
  readonly onLostHistory: 'resnapshot' | 'hold'
}

export interface DeclaredEntity extends Entity {
  /** The name of its source. */
  readonly source: string
  readonly table: TableName
  /** Field → the source's column. */
  readonly columns: ReadonlyMap<string, string>
  /** The system whose word counts. */
  readonly authority: string
  readonly consistency: 'eventual'
  readonly partitions: number
}

/**
 * Reads and checks a declaration; every command calls it before anything else.
 * @throws TributaryError `declaration-invalid` (stop, exit code 2) whose message lists all problems, a line each
 */
export function loadDeclaration(path: string, env: Environment): Declaration {
  const { declaration, problems } = checkDeclaration(readDeclaration(path), path, env)
  if (declaration) return declaration
  throw new TributaryError('declaration-invalid', describeProblems(path, problems))
}

/** All problems as one message: how many, then a line each. */
export function describeProblems(path: string, problems: readonly Problem[]): string {
  const lines = problems.slice(0, SHOWN_PROBLEMS_MAX).map(formatProblem)
  if (problems.length > SHOWN_PROBLEMS_MAX) lines.push(`and ${problems.length - SHOWN_PROBLEMS_MAX} more`)
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return `${path} has ${count}:\n${lines.join('\n')}`
}

/**
 * The text of a declaration, at most one byte more than a declaration may have.
 * @throws TributaryError `declaration-invalid`: there is no such file, or it cannot be read as UTF-8
 */
export function readDeclaration(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readBytes(path))
  } catch (cause) {
    throw new TributaryError('declaration-invalid', unreadable(path, cause), { cause })
  }
}

function readBytes(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null)
    return bytes.subarray(0, length)
  } finally {
    closeSync(file)
  }
}

function unreadable(path: string, cause: unknown): string {
  const code = systemCode(cause)
  if (code === 'ENOENT') return `${path} does not exist: run this where it is, or name it with --file.`
  if (code === 'EISDIR') return `${path} is a directory: name the file itself with --file.`
  if (code === 'EACCES') return `${path} cannot be read: this user has no right to.`
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return `${path} is not UTF-8 text: save it as UTF-8.`
  return `${path} cannot be read (${String(code ?? 'unknown error')}).`
}

/**
 * Checks the text of a declaration as a whole: every problem at once, in the order of the file. Throws nothing for any text.
 * @param file how the file is called in the problems
 * @param readSecret reads the files that `*_FILE` variables name
 */
export function checkDeclaration(
  text: string,
  file: string,
  env: Environment,
  readSecret: ReadSecret = readSecretFile,
): { readonly declaration?: Declaration; readonly problems: readonly Problem[] } {
  const located = locate(text, file, env, readSecret)
  if (located.value === undefined) return { problems: sortProblems(located.problems) }
  const isMapping = typeof located.value === 'object' && located.value !== null && !Array.isArray(located.value)
  if (!isMapping) {
    const message = located.value === null ? 'the file is empty' : 'the file is not a mapping'
    const suggestion = 'begin with `name: …`; `tributary.yaml` of the project is an example'
    return { problems: sortProblems([...located.problems, located.problem([], message, suggestion)]) }
  }
  const { declared, problems } = checkForm(located)
  const found = sortProblems([...located.problems, ...problems, ...crossCheck(located)])
  if (!declared || found.length > 0) return { problems: found }
  return { declaration: resolve(declared, file, (path) => located.problem(path, '')), problems: [] }
}
