import { closeSync, openSync, readSync } from 'node:fs'
import { systemCode } from '../../../schemas/errors.ts'

/** The variables a declaration may refer to, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Reads the file that a `*_FILE` variable names; throws when it cannot be read. */
export type ReadSecret = (path: string) => string

export interface Expansion {
  readonly text: string
  /** The scalar as it may be shown: references by name, never their values or defaults. */
  readonly shown: string
  readonly faults: readonly { readonly reference: string; readonly message: string; readonly suggestion?: string }[]
}

const HOW_TO_REFER = `write \`\${NAME}\`, \`\${NAME:-default}\`, or \`$$\` for a plain $`

const SECRET_BYTES_MAX = 65_536
/** The most that the references of one file may expand to. */
export const EXPANDED_CHARACTERS_MAX = 1_048_576
const REFERENCE = /\$\$|\$\{([^}]*)(\}?)/g

/** Whether a scalar has anything to expand. */
export function hasReference(text: string): boolean {
  return text.includes('${') || text.includes('$$')
}

/**
 * Replaces `${VAR}` and `${VAR:-default}` (for unset or empty) in one parsed scalar; `$$` stands for `$`. Values are not expanded again.
 * Where VAR is unset and VAR_FILE is set, the value is what that file holds. No fault holds a value.
 */
export function expand(text: string, env: Environment, readSecret: ReadSecret): Expansion {
  const faults: Expansion['faults'][number][] = []
  let shown = ''
  let end = 0
  let characters = 0
  const expanded = text.replace(REFERENCE, (whole, inner: string | undefined, closing: string, index: number) => {
    shown += text.slice(end, index)
    end = index + whole.length
    if (inner === undefined) {
      shown += '$$'
      return '$'
    }
    const parts = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner)
    if (!parts || closing === '') {
      shown += `\${…}`
      faults.push({ reference: '${', message: 'holds a reference that cannot be read', suggestion: HOW_TO_REFER })
      return ''
    }
    const name = parts[1]!
    shown += `\${${name}}`
    if (characters > EXPANDED_CHARACTERS_MAX) return ''
    const found = lookUp(name, env, readSecret)
    if (typeof found === 'object') {
      faults.push({ reference: `\${${name}`, message: found.fault })
      return ''
    }
    if (parts[2] !== undefined && (found === undefined || found === '')) return parts[2]
    if (found === undefined) {
      const suggestion = `set it, set ${name}_FILE, or write \`\${${name}:-default}\``
      faults.push({ reference: `\${${name}`, message: `the variable ${name} is not set`, suggestion })
      return ''
    }
    characters += found.length
    return found
  })
  return { text: expanded, shown: shown + text.slice(end), faults }
}

function lookUp(name: string, env: Environment, readSecret: ReadSecret): string | undefined | { fault: string } {
  const value = env[name]
  if (value !== undefined) return value
  const path = env[`${name}_FILE`]
  if (path === undefined) return undefined
  try {
    return readSecret(path).replace(/\r?\n$/, '')
  } catch (error) {
    // Only the code is told: the text of the error repeats the variable's value, which may be the secret itself by mistake.
    return { fault: `the file that ${name}_FILE names cannot be read (${systemCode(error) ?? 'unreadable'})` }
  }
}

/** Reads a secret file of at most 64 KiB. */
export function readSecretFile(path: string): string {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(SECRET_BYTES_MAX + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null)
    if (length > SECRET_BYTES_MAX) throw Object.assign(new Error('the secret is too long'), { code: 'over 64 KiB' })
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(file)
  }
}
