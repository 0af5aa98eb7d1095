import type { EntityMapping } from '../../../connectors/destination.ts'
import { durationMs, durationRangeMs, sound } from '../checked-text.ts'
import type { DeclaredEntity } from '../declaration.ts'
import { parseTarget } from '../notation.ts'
import type { DeclaredSubscriber, RequestOptions } from './declared.ts'
import type { WrittenSubscriber, WrittenSubscription } from './definition.ts'

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
    mappings: resolveMappings(written, entities),
  }
  switch (written.type) {
    case 'warehouse': {
      const { type, url, schema } = written
      return { ...parts, type, connection: { url, schema } }
    }
    case 'dataverse': {
      const { type } = written
      return { ...parts, type, connection: { ...requestOptions(written), ...credentials(written), url: base(written) } }
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
): readonly EntityMapping[] {
  const entries: [string, WrittenSubscription][] = Object.entries(written.entities)
  return entries.map(([entityName, subscription]): EntityMapping => {
    const entity = entities.get(entityName)!
    const types = new Map(entity.fields.map((field) => [field.name, field.type]))
    const pairs = subscription?.fields
      ? Object.entries(subscription.fields)
      : entity.fields.map((field) => [field.name, field.name] as const)
    const general = {
      entity,
      fields: pairs.map(([to, from]) => ({ to, from: [from], type: types.get(from)!, transform: null })),
      onDelete: subscription?.onDelete ?? written.onDelete,
    }
    if (subscription === null || !('target' in subscription)) {
      const table = subscription?.table
      const target = table === undefined ? defaultTarget(entityName) : sound(parseTarget(table)).name
      return { ...general, target, keyFields: [], updateOnly: false, lookups: {} }
    }
    const { target, key = [], updateOnly, lookups } = subscription
    return { ...general, target, keyFields: typeof key === 'string' ? [key] : key, updateOnly, lookups }
  })
}
