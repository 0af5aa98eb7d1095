import type { Outcome, Patch } from '../../../connectors/destination.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'

interface Held {
  readonly version: Version
  /** null once it was deleted. */
  readonly fields: Readonly<Record<string, Value>> | null
}

/** What the destination holds, and what a request does to it. */
export class Subscriber {
  readonly objects = new Map<string, Held>()
  readonly #compares: boolean
  readonly #partialCreates: boolean

  constructor(compares: boolean, partialCreates: boolean) {
    this.#compares = compares
    this.#partialCreates = partialCreates
  }

  carryOut(patch: Patch): Outcome {
    const held = this.objects.get(patch.key)
    if (this.#compares && held && compareVersions(held.version, patch.version) > 0) return { kind: 'newer' }
    const { key, version } = patch
    if (patch.kind === 'delete') {
      this.objects.set(key, { version, fields: null })
      return { kind: 'applied' }
    }
    const fields = held?.fields ?? null
    if (fields === null && !patch.full && !this.#partialCreates) return { kind: 'absent' }
    this.objects.set(key, { version, fields: { ...fields, ...patch.fields } })
    return { kind: 'applied' }
  }
}
