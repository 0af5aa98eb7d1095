import type { Outcome, Patch } from '../../../connectors/destination.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'

/**
 * What a destination compares before it changes an object: the version that it holds, deleted or not; the mark of the state that a request
 * was made for (an ETag), of which nothing is left once the object is deleted; or nothing.
 */
export type Compares = 'versions' | 'tags' | 'nothing'

interface Held {
  readonly version: Version
  /** null once it was deleted. */
  readonly fields: Readonly<Record<string, Value>> | null
  readonly tag: string
}

/** What a request goes by when it was sent: the tag that the object has to have, or null where it has to be missing. */
export type Condition = string | null

/** What the destination holds, and what a request does to it. */
export class Subscriber {
  readonly objects = new Map<string, Held>()
  readonly #compares: Compares
  readonly #partialCreates: boolean
  #tags = 0

  constructor(compares: Compares, partialCreates: boolean) {
    this.#compares = compares
    this.#partialCreates = partialCreates
  }

  /** A client that knows no tag looks for the object as it is. */
  conditionOf({ key, tag }: Patch): Condition {
    return tag ?? this.#live(key)?.tag ?? null
  }

  carryOut(patch: Patch, condition: Condition): Outcome {
    const { key, version } = patch
    const held = this.objects.get(key)
    if (this.#compares === 'versions' && held && compareVersions(held.version, version) > 0) return { kind: 'newer' }
    const live = this.#live(key)
    if (this.#compares === 'tags' && (live?.tag ?? null) !== condition) {
      if (patch.kind === 'delete' && !live) return { kind: 'unchanged' }
      return !live && patch.kind === 'upsert' && !patch.full ? { kind: 'absent' } : { kind: 'conflict' }
    }
    const tag = String(++this.#tags)
    const applied = { kind: 'applied', ...(this.#compares === 'tags' ? { tag } : {}) } as const
    if (patch.kind === 'delete') {
      this.objects.set(key, { version, fields: null, tag })
      return { kind: 'applied' }
    }
    if (!live && !patch.full && !this.#partialCreates) return { kind: 'absent' }
    this.objects.set(key, { version, fields: { ...live?.fields, ...patch.fields }, tag })
    return applied
  }

  #live(key: string): Held | undefined {
    const held = this.objects.get(key)
    return held?.fields ? held : undefined
  }
}
