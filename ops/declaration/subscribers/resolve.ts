import type { EntityMapping, MappedField } from '../../../connectors/destination.ts'
import type { CustomFunctions } from '../../../consumers/transforms/custom.ts'
import { durationMs, durationRangeMs, sound, unchecked } from '../checked-text.ts'
import type { DeclaredEntity } from '../declaration.ts'
import { parseTarget } from '../notation.ts'
import type { DeclaredSubscriber, RequestOptions } from './declared.ts'
import type { WrittenSubscriber, WrittenSubscription } from './definition.ts'
import type { WrittenField } from './field-definition.ts'
import { planDeletion } from './plan-deletion.ts'
import { type FieldFault, planField } from './plan-field.ts'

/** The destination table of an entity for which none is declared. */
export function defaultTarget(entity: string): string {
  return entity.replaceAll('-', '_')
}

/** The token endpoint of Entra ID, for one tenant. */
function entraTokenUrl(tenant: string): string {
  return `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`
}

/** A subscriber that was checked, with every default filled in. */
export function resolveSubscriber(
  written: WrittenSubscriber,
  name: string,
  entities: ReadonlyMap<string, DeclaredEntity>,
  functions: CustomFunctions,
): DeclaredSubscriber {
  const { retry, breaker, concurrency } = written
  const parts = {
    name,
    concurrency,
    retry: {
      attempts: retry.attempts,
      firstMs: durationMs(retry.first),
      deadAfterMs: durationMs(retry.deadAfter),
    },
    breaker: { failures: breaker.failures, probeEveryMs: durationRangeMs(breaker.probeEvery) },
    mappings: resolveMappings(written, entities, functions),
  }
  switch (written.type) {
    case 'warehouse': {
      const { type, url, schema, timeout } = written
      return { ...parts, type, connection: { url, schema, statementTimeoutMs: durationMs(timeout) } }
    }
    case 'dataverse': {
      const { type, compare } = written
      const connection = { ...requestOptions(written), ...credentials(written), url: base(written), compare }
      return { ...parts, type, connection }
    }
    case 'finance-operations':
    case 'business-central': {
      const { type, company } = written
      const connection = { ...requestOptions(written), ...credentials(written), url: base(written), company }
      return { ...parts, type, connection }
    }
    case 'salesforce': {
      const { type, clientId, clientSecret, apiVersion } = written
      const connection = { ...requestOptions(written), url: base(written), clientId, clientSecret, apiVersion }
      return { ...parts, type, connection }
    }
    case 'shopify': {
      const { type, accessToken, apiVersion } = written
      return { ...parts, type, connection: { ...requestOptions(written), url: base(written), accessToken, apiVersion } }
    }
    case 'http': {
      const { type, secrets, headers } = written
      const list = typeof secrets === 'string' ? [secrets] : secrets
      return { ...parts, type, connection: { ...requestOptions(written), url: base(written), secrets: list, headers } }
    }
  }
}

type WrittenOverHttp = Exclude<WrittenSubscriber, { readonly type: 'warehouse' }>

function requestOptions({ allowAddresses, timeout, lateRequest }: WrittenOverHttp): RequestOptions {
  const timeoutMs = durationMs(timeout)
  return {
    allowAddresses,
    timeoutMs,
    lateRequestMs: lateRequest === undefined ? 2 * timeoutMs : durationMs(lateRequest),
  }
}

function credentials({
  tenant,
  tokenUrl,
  clientId,
  clientSecret,
}: Extract<WrittenSubscriber, { readonly tokenUrl?: string | undefined }>) {
  return { tokenUrl: tokenUrl ?? entraTokenUrl(tenant!), clientId, clientSecret }
}

/** Without the `/` at its end: what is added to it begins with one. */
function base({ url }: WrittenSubscriber): string {
  return url.replace(/\/+$/, '')
}

function resolveMappings(
  written: WrittenSubscriber,
  entities: ReadonlyMap<string, DeclaredEntity>,
  functions: CustomFunctions,
): readonly EntityMapping[] {
  const entries: [string, WrittenSubscription][] = Object.entries(written.entities)
  const parts = entries.map(([entityName, subscription]) => {
    const entity = entities.get(entityName)!
    const types = new Map(entity.fields.map((field) => [field.name, field.type]))
    const pairs: [string, WrittenField][] = subscription?.fields
      ? Object.entries(subscription.fields)
      : entity.fields.map((field) => [field.name, field.name])
    const fields = pairs.map(([to, from]): MappedField => ({ to, ...planned(planField(from, types, functions)) }))
    const target =
      subscription !== null && 'target' in subscription
        ? subscription.target
        : subscription?.table === undefined
          ? defaultTarget(entityName)
          : sound(parseTarget(subscription.table)).name
    return { subscription, entity, types, fields, target }
  })
  const taken = new Map(
    parts.map(({ entity, types, fields, target }) => [
      entity.name,
      {
        target,
        types,
        filled: new Map(
          fields
            .filter(isPlain)
            .map(({ to, from }) => [from[0]!, to] as const)
            .reverse(),
        ),
      },
    ]),
  )
  return parts.map(({ subscription, entity, types, fields, target }): EntityMapping => {
    const { onDelete = written.onDelete } = subscription ?? {}
    const deleted = { name: entity.name, key: entity.key.map((name) => types.get(name)) }
    const {
      key = [],
      updateOnly,
      lookups,
    } = { ...NO_REFERENCES, ...(subscription && 'target' in subscription ? subscription : {}) }
    return {
      entity,
      target,
      fields,
      keyFields: typeof key === 'string' ? [key] : key,
      updateOnly,
      lookups,
      onDelete: typeof onDelete === 'string' ? onDelete : planned(planDeletion(onDelete, deleted, taken)),
    }
  })
}

const NO_REFERENCES = { updateOnly: false, lookups: {} }

function isPlain({ from, transform }: MappedField): boolean {
  return from.length === 1 && transform === null
}

function planned<T extends object>(plan: T | { readonly faults: readonly FieldFault[] }): T {
  if ('faults' in plan) throw unchecked('a mapping')
  return plan as T
}
