import { z } from 'zod'
import type { AvroObject, AvroSchema } from './avro.ts'
import { TributaryError } from './errors.ts'
import { type RegistryAddress, type RegistryAnswer, refusalText, registryRequests } from './registry-request.ts'

/**
 * The schema registry, by Confluent's API (which Apicurio serves too). Every method throws TributaryError
 * `registry-unreachable` (retry) when no registry answers, and never takes that for an answer.
 */
export interface Registry {
  /** The id of a schema under a subject; undefined when it is not registered there. Never registers. */
  idOf(subject: string, schema: AvroObject): Promise<number | undefined>

  /**
   * Registers a schema under a subject whose compatibility is FULL_TRANSITIVE. Idempotent. For `provision` only.
   * @throws TributaryError `schema-incompatible` (stop) when the registry refuses it
   */
  register(subject: string, schema: AvroObject): Promise<number>

  /** Every version of a subject, oldest first; none when there is no such subject. */
  versions(subject: string): Promise<readonly AvroSchema[]>

  /** The schema with this id; undefined when there is none, or when it is not registered under this subject. */
  schemaById(id: number, subject: string): Promise<AvroSchema | undefined>

  /** The compatibility that holds for a subject: its own, else that of the whole registry. */
  compatibility(subject: string): Promise<string>

  /** Resolves when the registry answers. */
  ping(): Promise<void>
}

/** Old records live as long as their keys, and producers and consumers change at different times. */
export const COMPATIBILITY = 'FULL_TRANSITIVE'
const NOT_FOUND = 404
const CONFLICT = 409

const WITH_ID = z.object({ id: z.int() })
const WITH_SCHEMA = z.object({ schema: z.string() })
const VERSION_NUMBERS = z.array(z.int())
const SUBJECT_VERSIONS = z.array(z.object({ subject: z.string() }))
const CONFIG = z.object({ compatibilityLevel: z.string() })

/**
 * Not by way of `@kafkajs/confluent-schema-registry`: it has no time-outs, turns a broken connection into a status 400,
 * drops the properties of a schema, and sets a subject's compatibility only after its first version. Its own decoder reads what
 * is registered here.
 */
export function createRegistry(address: RegistryAddress): Registry {
  const request = registryRequests(address)

  async function setCompatibility(subject: string): Promise<void> {
    const path = `/config/${encodeURIComponent(subject)}`
    const current = await request('GET', path)
    if (current.status === 200 && read(CONFIG, current).compatibilityLevel === COMPATIBILITY) return
    const answer = await request('PUT', path, { compatibility: COMPATIBILITY })
    if (answer.status !== 200) throw refused(subject, answer)
  }

  return {
    async idOf(subject, schema) {
      const answer = await request('POST', `/subjects/${encodeURIComponent(subject)}`, body(schema))
      if (answer.status === NOT_FOUND) return undefined
      return read(WITH_ID, answer).id
    },

    async register(subject, schema) {
      // First, so that no second version can slip in under a weaker rule.
      await setCompatibility(subject)
      const answer = await request('POST', `/subjects/${encodeURIComponent(subject)}/versions`, body(schema))
      if (answer.status !== 200) throw refused(subject, answer)
      // Again, because a registry may keep no settings for a subject that has no version yet.
      await setCompatibility(subject)
      return read(WITH_ID, answer).id
    },

    async versions(subject) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions`
      const list = await request('GET', path)
      if (list.status === NOT_FOUND) return []
      const schemas: AvroSchema[] = []
      for (const version of read(VERSION_NUMBERS, list)) {
        const answer = await request('GET', `${path}/${version}`)
        // Deleted between the two requests.
        if (answer.status === NOT_FOUND) continue
        schemas.push(parseSchema(read(WITH_SCHEMA, answer).schema))
      }
      return schemas
    },

    async schemaById(id, subject) {
      // Deleted ones too: a schema that someone has deleted may still be that of old records.
      const subjects = await request('GET', `/schemas/ids/${id}/versions?deleted=true`)
      if (subjects.status === NOT_FOUND) return undefined
      if (!read(SUBJECT_VERSIONS, subjects).some((entry) => entry.subject === subject)) return undefined
      const answer = await request('GET', `/schemas/ids/${id}`)
      if (answer.status === NOT_FOUND) return undefined
      return parseSchema(read(WITH_SCHEMA, answer).schema)
    },

    async compatibility(subject) {
      const own = await request('GET', `/config/${encodeURIComponent(subject)}`)
      return read(CONFIG, own.status === NOT_FOUND ? await request('GET', '/config') : own).compatibilityLevel
    },

    async ping() {
      read(z.array(z.string()), await request('GET', '/subjects'))
    },
  }
}

function body(schema: AvroObject): { schema: string } {
  return { schema: JSON.stringify(schema) }
}

/** What is not JSON (Protobuf, say) stays text, which is no schema of a delta either. */
function parseSchema(text: string): AvroSchema {
  try {
    return JSON.parse(text) as AvroSchema
  } catch {
    return text
  }
}

function read<T>(shape: z.ZodType<T>, answer: RegistryAnswer): T {
  const parsed = shape.safeParse(answer.body)
  if (answer.status === 200 && parsed.success) return parsed.data
  throw new TributaryError(
    'registry-unreachable',
    `the schema registry answers with something else than Confluent's API would (${refusalText(answer)}); check registry.url`,
    { cause: parsed.error ?? new Error(`status ${answer.status}`) },
  )
}

function refused(subject: string, answer: RegistryAnswer): TributaryError {
  const cause = new Error(refusalText(answer))
  if (answer.status === CONFLICT)
    return new TributaryError(
      'schema-incompatible',
      `the registry refuses the schema of ${subject} as incompatible with an earlier version: ${cause.message}; undo the change or give the field a new name`,
      { cause },
    )
  return new TributaryError(
    'invariant-broken',
    `the registry refuses the schema of ${subject}: ${cause.message}; report this as a defect of tributary`,
    { cause },
  )
}
