import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { ROOT } from '../../docs/pages.ts'

const text = z.string().min(1)
const texts = z.array(text)
const command = z.array(z.string())
const strings = z.record(text, z.union([z.string(), z.number()]))
const duration = z.string().regex(/^\d+(ms|s|m)$/)
const bytes = z.string().regex(/^\d+[mMgG]$/)

const healthcheck = z.union([
  z.strictObject({ disable: z.literal(true) }),
  z.strictObject({
    test: z.tuple([z.enum(['CMD', 'CMD-SHELL'])], text),
    interval: duration,
    timeout: duration,
    retries: z.number().int().positive(),
  }),
])

const service = z.strictObject({
  image: text,
  build: z.strictObject({ context: text, target: text }).optional(),
  profiles: z.tuple([z.enum(['core', 'apps', 'demo', 'observability'])]),
  entrypoint: command.optional(),
  command: command.optional(),
  environment: strings.default({}),
  secrets: z.array(z.union([text, z.strictObject({ source: text, target: text })])).default([]),
  volumes: texts.default([]),
  tmpfs: texts.default([]),
  ports: texts.default([]),
  expose: texts.optional(),
  networks: texts,
  depends_on: z
    .record(
      text,
      z.strictObject({
        condition: z.enum(['service_healthy', 'service_completed_successfully']),
        required: z.boolean().default(true),
      }),
    )
    .default({}),
  healthcheck: healthcheck.optional(),
  restart: z.enum(['no', 'unless-stopped']),
  stop_grace_period: duration.optional(),
  init: z.boolean().optional(),
  user: text,
  read_only: z.boolean(),
  cap_drop: texts,
  security_opt: texts,
  shm_size: bytes.optional(),
  logging: z.strictObject({ driver: text, options: z.strictObject({ 'max-size': bytes, 'max-file': text }) }),
  deploy: z.strictObject({
    resources: z.strictObject({
      limits: z.strictObject({ cpus: text, memory: bytes, pids: z.number().int().positive() }),
    }),
  }),
})

/** The part of the Compose Specification that docker-compose.yml uses, and no more: a key that is misspelt is refused. */
const composeFile = z
  .object({
    name: text,
    services: z.record(text, service),
    networks: z.record(
      text,
      z.strictObject({ ipam: z.strictObject({ config: z.array(z.strictObject({ subnet: text })) }) }).nullable(),
    ),
    volumes: z.record(text, z.null()),
    secrets: z.record(text, z.strictObject({ file: text })),
  })
  .catchall(z.unknown())
  .refine((file) => Object.keys(file).every((key) => key in KEYS || key.startsWith('x-')), { error: 'an unknown key' })

const KEYS = { name: true, services: true, networks: true, volumes: true, secrets: true }

export type ComposeFile = z.output<typeof composeFile>
export type Service = ComposeFile['services'][string]

export const FILE = 'docker-compose.yml'

/**
 * docker-compose.yml as Compose reads it, with aliases and merges resolved.
 * @param variables what stands in the environment or in `.env`
 */
export function readCompose(variables: Readonly<Record<string, string>> = {}): ComposeFile {
  const parsed: unknown = parse(readFileSync(ROOT + FILE, 'utf8'), { merge: true })
  return composeFile.parse(interpolate(parsed, variables))
}

const REFERENCE = /\$\{([A-Z_]+):-([^}]*)\}/g

function interpolate(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return value.replace(REFERENCE, (_whole, name, or) => variables[name] ?? or)
  if (Array.isArray(value)) return value.map((one) => interpolate(one, variables))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, interpolate(one, variables)]))
}

/** The variables that the file takes from `.env`, with their defaults. */
export function variablesOf(): Readonly<Record<string, string>> {
  const matches = readFileSync(ROOT + FILE, 'utf8').matchAll(REFERENCE)
  return Object.fromEntries([...matches].map(([, name, or]) => [name!, or!]))
}

/** The secrets of a service, as files in the container. */
export function secretsOf({ secrets }: Service): readonly { readonly source: string; readonly path: string }[] {
  return secrets.map((secret) =>
    typeof secret === 'string'
      ? { source: secret, path: `/run/secrets/${secret}` }
      : { source: secret.source, path: `/run/secrets/${secret.target}` },
  )
}

/** Ours are made from the Dockerfile; the others come as they are. */
export const isOurs = ({ build }: Service): boolean => build !== undefined
