import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  DeletePolicy,
  Destination,
  EntityMapping,
  Outcome,
  Patch,
  Removal,
  Upsert,
} from '../../connectors/destination.ts'
import type { Value } from '../../schemas/field-type.ts'
import type { Version } from '../../schemas/version.ts'

/** A destination that is ready for patches of one mapping, and a way to look at what it holds. */
export interface ContractSubject {
  readonly destination: Destination
  /** The mapping as the destination knows it, where that is not the contract's own. */
  readonly mapping?: EntityMapping
  /** The mapped fields of an object, or undefined where there is none; one that is marked as deleted counts as none. */
  read(key: string): Promise<Readonly<Record<string, Value>> | undefined>
  close(): Promise<void>
}

/** Makes an empty, provisioned destination for a mapping. */
export type ContractFactory = (mapping: EntityMapping) => Promise<ContractSubject>

const FIELDS = [
  { name: 'name', type: { kind: 'string' }, personal: true },
  { name: 'visits', type: { kind: 'int64' }, personal: false },
  { name: 'note', type: { kind: 'string' }, personal: false },
] as const

/** What a system is to be called by in its mapping. */
export interface ContractNames {
  readonly target: string
  readonly keyFields: readonly string[]
}

/** The mapping that a contract's subject is made for. */
function contractMapping(onDelete: DeletePolicy, names: ContractNames | undefined): EntityMapping {
  return {
    entity: { name: 'customer', key: ['id'], fields: FIELDS, class: 'standard', owner: 'tests', freshnessSeconds: 60 },
    target: names?.target ?? `customers_${onDelete}`,
    fields: FIELDS.map(({ name, type }) => ({ to: name, from: [name], type, transform: null })),
    keyFields: names?.keyFields ?? [],
    updateOnly: false,
    lookups: {},
    onDelete,
  }
}

export function versionAt(position: number): Version {
  return { epoch: 1n, position: BigInt(position), ordinal: 0 }
}

export function fullPatch(key: string, at: number, fields: Upsert['fields']): Upsert {
  return { kind: 'upsert', key, version: versionAt(at), full: true, fields, tag: null }
}

export function partialPatch(key: string, at: number, fields: Upsert['fields']): Upsert {
  return { kind: 'upsert', key, version: versionAt(at), full: false, fields, tag: null }
}

export function removal(key: string, at: number): Removal {
  return { kind: 'delete', key, version: versionAt(at), tag: null }
}

const ALICE = { name: 'Alice', visits: 1n, note: 'first' }

/**
 * What every destination has to do, whatever it talks to. Claims about versions are made only of destinations that compare them.
 * @param policies the delete policies that it supports
 * @param comparesVersions what its `comparesVersions` says
 * @param byTags it compares marks of its own (ETags), which have no order: an older patch without one cannot be told from a newer
 * @param names the target and the key fields, where they are not of the contract's choice
 * @param listsKeys whether it can list the keys for this mapping, where it can list any
 * @param refusesKey whether it rejects a key rather than confuse it with another; default: it takes every key
 */
export function destinationContract(
  name: string,
  {
    policies,
    comparesVersions,
    byTags = false,
    names,
    listsKeys = true,
    refusesKey = () => false,
  }: {
    policies: readonly DeletePolicy[]
    comparesVersions: boolean
    byTags?: boolean
    names?: ContractNames
    listsKeys?: boolean
    refusesKey?: (key: string) => boolean
  },
  factory: ContractFactory,
): void {
  describe.each(policies)(`${name} with deletes %s keeps the contract of a destination`, (policy) => {
    const mapping = contractMapping(policy, names)
    let subject: ContractSubject
    let keys = 0

    beforeAll(async () => {
      subject = await factory(mapping)
    })
    afterAll(async () => {
      await subject.close()
    })

    const { signal } = new AbortController()
    const mappingThere = () => subject.mapping ?? mapping
    const newKey = () => `key-${++keys}`
    const apply = (...patches: readonly Patch[]): Promise<readonly Outcome[]> =>
      subject.destination.apply(mappingThere(), patches, signal)
    const kinds = async (...patches: readonly Patch[]) => (await apply(...patches)).map(({ kind }) => kind)
    /** Taking effect and finding it done are the same to the engine. */
    const expectDone = (kind: Outcome['kind'] | undefined) => expect(['applied', 'unchanged']).toContain(kind)

    it('says truly whether it compares versions, and has positive limits', () => {
      expect(subject.destination.comparesVersions).toBe(comparesVersions)
      expect(subject.destination.batchMax).toBeGreaterThan(0)
      expect(subject.destination.lateRequestMs).toBeGreaterThan(0)
    })

    it('has nothing left to plan once provisioned, and provisions again without harm', async () => {
      expect(await subject.destination.plan()).toEqual([])
      await subject.destination.provision()
      await subject.destination.check()
    })

    it('makes a missing object from a full patch', async () => {
      const key = newKey()
      expect(await kinds(fullPatch(key, 1, ALICE))).toEqual(['applied'])
      expect(await subject.read(key)).toEqual(ALICE)
    })

    it('answers absent to a patch that is not full where the object is missing, and makes nothing', async () => {
      const key = newKey()
      expect(await kinds(partialPatch(key, 1, { name: 'Alice' }))).toEqual(['absent'])
      expect(await subject.read(key)).toBeUndefined()
    })

    it('touches only the fields of a patch; null clears', async () => {
      const key = newKey()
      await apply(fullPatch(key, 1, ALICE))
      expect(await kinds(partialPatch(key, 2, { visits: 2n }))).toEqual(['applied'])
      expect(await subject.read(key)).toEqual({ ...ALICE, visits: 2n })
      expect(await kinds(partialPatch(key, 3, { note: null }))).toEqual(['applied'])
      expect(await subject.read(key)).toEqual({ ...ALICE, visits: 2n, note: null })
      expect(await kinds(fullPatch(key, 4, { name: 'Bob' }))).toEqual(['applied'])
      expect(await subject.read(key)).toEqual({ name: 'Bob', visits: 2n, note: null })
    })

    it('takes the same patch twice to the same end', async () => {
      const key = newKey()
      await apply(fullPatch(key, 1, ALICE))
      expectDone((await kinds(fullPatch(key, 1, ALICE)))[0])
      await apply(partialPatch(key, 2, { visits: 2n }))
      expectDone((await kinds(partialPatch(key, 2, { visits: 2n })))[0])
      expect(await subject.read(key)).toEqual({ ...ALICE, visits: 2n })
    })

    it('carries a delete out by its policy, twice to the same end', async () => {
      const key = newKey()
      await apply(fullPatch(key, 1, ALICE))
      expectDone((await kinds(removal(key, 2)))[0])
      expectDone((await kinds(removal(key, 2)))[0])
      expect(await subject.read(key)).toEqual(policy === 'ignore' ? ALICE : undefined)
    })

    it('takes a delete of a missing object as done', async () => {
      const key = newKey()
      expectDone((await kinds(removal(key, 1)))[0])
      expect(await subject.read(key)).toBeUndefined()
    })

    it('makes a deleted object again from a full patch', async () => {
      const key = newKey()
      await apply(fullPatch(key, 1, ALICE))
      await apply(removal(key, 2))
      const again = { name: 'Alice II', visits: 0n, note: null }
      if (policy !== 'ignore') expect(await kinds(partialPatch(key, 3, { visits: 0n }))).toEqual(['absent'])
      expect(await kinds(fullPatch(key, 3, again))).toEqual(['applied'])
      expect(await subject.read(key)).toEqual(again)
    })

    it('answers a mixed batch in order, one outcome a patch', async () => {
      const [made, missing, deleted, updated] = [newKey(), newKey(), newKey(), newKey()]
      await apply(fullPatch(deleted, 1, ALICE), fullPatch(updated, 1, ALICE))
      const outcomes = await kinds(
        partialPatch(missing, 2, { visits: 2n }),
        removal(deleted, 2),
        fullPatch(made, 2, ALICE),
        partialPatch(updated, 2, { note: 'second' }),
      )
      // A delete that is ignored leaves all as it is.
      expectDone(outcomes[1])
      expect([outcomes[0], ...outcomes.slice(2)]).toEqual(['absent', 'applied', 'applied'])
      expect(await subject.read(made)).toEqual(ALICE)
      expect(await subject.read(updated)).toEqual({ ...ALICE, note: 'second' })
    })

    it('answers an empty batch with nothing', async () => {
      expect(await apply()).toEqual([])
    })

    it('keeps keys apart that only look alike', async () => {
      const key = newKey()
      const alike = [
        key,
        `${key} `,
        key.toUpperCase(),
        `${key}.0`,
        `${key}.00`,
        `${key}é`,
        `${key}e\u0301`,
        `${key}"\\'`,
      ]
      // One after the other: of two that are the same there, the first is to stay.
      const outcomes: (Outcome['kind'] | undefined)[] = []
      for (const [at, name] of alike.entries())
        outcomes.push(...(await kinds(fullPatch(name, 1, { ...ALICE, visits: BigInt(at) }))))
      for (const [at, name] of alike.entries())
        if (refusesKey(name)) expect(outcomes[at]).toBe('rejected')
        else expect((await subject.read(name))?.visits).toBe(BigInt(at))
    })

    it('applies nothing when the signal has aborted already', async () => {
      const key = newKey()
      const outcomes = await subject.destination.apply(mappingThere(), [fullPatch(key, 1, ALICE)], AbortSignal.abort())
      expect(outcomes.map(({ kind }) => kind)).toEqual(['unavailable'])
      expect(await subject.read(key)).toBeUndefined()
    })

    it('reads an object in canonical form, where it can be asked; null where there is none', async () => {
      const { destination } = subject
      if (destination.read === undefined) return
      const readThere = (key: string) => destination.read!(mappingThere(), key, signal)
      const [key, missing] = [newKey(), newKey()]
      expect(await readThere(missing)).toBeNull()
      const large = { name: 'Zoë "Z" \\ O\'Brien', visits: 9_007_199_254_740_991n, note: null }
      await apply(fullPatch(key, 1, large))
      expect(await readThere(key)).toMatchObject(large)
      await apply(removal(key, 2))
      if (policy === 'ignore') expect(await readThere(key)).toMatchObject(large)
      else expect(await readThere(key)).toBeNull()
    })

    it('lists the keys of all that is there, once each, where it can be asked', async () => {
      const { destination } = subject
      if (destination.keys === undefined) return
      if (!listsKeys) {
        const listing = destination.keys(mappingThere(), signal)[Symbol.asyncIterator]().next()
        await expect(listing).rejects.toMatchObject({ code: 'destination-unsuitable' })
        return
      }
      const [kept, deleted, missing] = [newKey(), newKey(), newKey()]
      await apply(fullPatch(kept, 1, ALICE), fullPatch(deleted, 1, ALICE))
      await apply(removal(deleted, 2))
      const listed: string[] = []
      for await (const page of destination.keys(mappingThere(), signal)) listed.push(...page)
      expect(new Set(listed).size).toBe(listed.length)
      expect(listed).toContain(kept)
      expect(listed).not.toContain(missing)
      expect(listed.includes(deleted)).toBe(policy === 'ignore')
    })

    it('previews what it would be sent with its values, and sends nothing', async () => {
      const { destination } = subject
      if (destination.preview === undefined) return
      const key = newKey()
      const previewed = (patch: Patch) => destination.preview!(mappingThere(), patch)
      const { request, body } = previewed(fullPatch(key, 1, ALICE))
      expect(request).not.toBe('')
      expect(() => JSON.parse(body!)).not.toThrow()
      expect(body).toContain('Alice')
      // What a patch does not have is left alone, so it is not sent either.
      const partial = previewed(partialPatch(key, 2, { visits: 7n }))
      expect(partial.body).toContain('7')
      expect(partial.body).not.toContain('Alice')
      expect(previewed(removal(key, 3)).request).not.toBe('')
      expect(await subject.read(key)).toBeUndefined()
    })

    if (!comparesVersions || byTags) return

    describe('and compares versions', () => {
      it('answers newer to an older patch and changes nothing', async () => {
        const key = newKey()
        await apply(fullPatch(key, 5, ALICE))
        const old = { name: 'Old', visits: 0n, note: 'old' }
        expect(await kinds(fullPatch(key, 4, old))).toEqual(['newer'])
        expect(await kinds(partialPatch(key, 4, { name: 'Old' }))).toEqual(['newer'])
        expect(await kinds(removal(key, 4))).toEqual(['newer'])
        expect(await subject.read(key)).toEqual(ALICE)
      })

      it('takes a version that only its epoch makes newer', async () => {
        const key = newKey()
        await apply(fullPatch(key, 5, ALICE))
        const later: Upsert = { ...fullPatch(key, 1, { name: 'Epoch' }), version: { ...versionAt(1), epoch: 2n } }
        expect(await kinds(later)).toEqual(['applied'])
        expect(await kinds(fullPatch(key, 9, ALICE))).toEqual(['newer'])
      })

      it('does not bring a deleted object back for an older patch', async () => {
        const key = newKey()
        await apply(fullPatch(key, 1, ALICE))
        await apply(removal(key, 5))
        expect(await kinds(fullPatch(key, 4, ALICE))).toEqual(['newer'])
        expect(await kinds(partialPatch(key, 4, { visits: 9n }))).toEqual(['newer'])
        expect(await kinds(removal(key, 4))).toEqual(['newer'])
        expect(await subject.read(key)).toEqual(policy === 'ignore' ? ALICE : undefined)
      })

      // A delete that is ignored leaves nothing to remember it by.
      if (policy === 'ignore') return

      it('remembers the delete of an object that it never had', async () => {
        const key = newKey()
        await apply(removal(key, 5))
        expect(await kinds(fullPatch(key, 4, ALICE))).toEqual(['newer'])
        expect(await subject.read(key)).toBeUndefined()
        expect(await kinds(fullPatch(key, 6, ALICE))).toEqual(['applied'])
      })
    })
  })
}
