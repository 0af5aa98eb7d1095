import type { LoggedRequest } from '../../../connectors/http/sandbox-server.ts'

/** A revision that a request brought to an object: what a subscriber was sent, as its own log has it. */
export interface Sighting {
  readonly object: string
  readonly revision: number
  readonly atMs: number
}

/** Of a request to the CRM; null for one that brings none, or was not carried out. */
export function sightingAtCrm({ method, path, body, result, atMs }: LoggedRequest): Sighting | null {
  if ((method !== 'PATCH' && method !== 'PUT') || (result !== 200 && result !== 201)) return null
  const { revision } = JSON.parse(body) as { revision?: number }
  return revision === undefined ? null : { object: path, revision, atMs }
}

/** Of a request to the store. */
export function sightingAtStore({ body, result, atMs }: LoggedRequest): Sighting | null {
  if (result !== 200) return null
  const { variables } = JSON.parse(body) as {
    variables?: { product?: { id?: string; handle?: string; productType?: string } }
  }
  const { id, handle, productType } = variables?.product ?? {}
  if (productType === undefined) return null
  return { object: id ?? handle ?? '', revision: Number(productType), atMs }
}

/** Where an object was sent an older revision after a newer one, in words. An equal one is a repeat, and allowed. */
export function goneBack(sightings: Iterable<Sighting>): string[] {
  const newest = new Map<string, number>()
  const wrong: string[] = []
  for (const { object, revision } of sightings) {
    const before = newest.get(object) ?? revision
    if (revision < before) wrong.push(`${object}: ${before}, then ${revision}`)
    newest.set(object, Math.max(before, revision))
  }
  return wrong
}
