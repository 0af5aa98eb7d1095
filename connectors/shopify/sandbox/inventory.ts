import { GraphQLError, type GraphQLResolveInfo, getDirectiveValues } from 'graphql'
import { SCHEMA } from './schema.ts'
import { answering, newId, Refusal, type State } from './state.ts'

interface QuantityIn {
  readonly inventoryItemId: string
  readonly locationId: string
  readonly quantity: number
  readonly changeFromQuantity?: number | null
}

interface SetQuantitiesIn {
  readonly name: string
  readonly reason: string
  readonly quantities: readonly QuantityIn[]
}

/** shopify.dev, "Implementing idempotency": keys are kept for 24 hours. */
const KEY_MS = 86_400_000
const KEYS_MAX = 100_000
const QUANTITY_MAX = 1_000_000_000

interface Kept {
  readonly said: string
  readonly answer: { readonly userErrors: readonly object[] }
  readonly atMs: number
}

/** shopify.dev, inventorySetQuantities and "Implementing idempotency"; both are mandatory since 2026-04. */
export function inventoryMutations(state: State, now: () => number) {
  const kept = new Map<string, Kept>()

  /** Carries out work once a key: the same again gives the first answer, other parameters an error. */
  const once = <T extends { readonly userErrors: readonly object[] }>(
    info: GraphQLResolveInfo,
    parameters: object,
    work: () => T,
  ): T | Kept['answer'] => {
    const directive = getDirectiveValues(SCHEMA.getDirective('idempotent')!, info.fieldNodes[0]!, info.variableValues)
    const key = directive?.key
    if (typeof key !== 'string' || key === '')
      throw new GraphQLError(`The @idempotent directive is required for ${info.fieldName}`, {
        extensions: { code: 'BAD_REQUEST' },
      })
    const said = `${info.fieldName} ${JSON.stringify(parameters)}`
    const earlier = kept.get(key)
    if (earlier !== undefined && now() - earlier.atMs < KEY_MS) {
      const refused = (code: string, message: string) => ({ userErrors: [{ code, field: null, message }] })
      if (earlier.said !== said)
        return refused(
          'IDEMPOTENCY_KEY_PARAMETER_MISMATCH',
          'The same idempotency key cannot be used with different operation parameters.',
        )
      if (earlier.answer.userErrors.length > 0)
        return refused(
          'IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED',
          'A previous request with this idempotency key failed. Retry with a new idempotency key.',
        )
      return earlier.answer
    }
    const answer = work()
    kept.set(key, { said, answer, atMs: now() })
    if (kept.size > KEYS_MAX) kept.delete(kept.keys().next().value!)
    return answer
  }

  return {
    inventorySetQuantities: ({ input }: { input: SetQuantitiesIn }, _context: unknown, info: GraphQLResolveInfo) => {
      for (const quantity of input.quantities)
        if (quantity.changeFromQuantity === undefined)
          throw new GraphQLError('changeFromQuantity is required; pass null to opt out', {
            extensions: { code: 'BAD_REQUEST' },
          })
      return once(info, input, () => answering(() => setQuantities(state, input)))
    },
    inventoryActivate: (
      input: { inventoryItemId: string; locationId: string; available?: number },
      _context: unknown,
      info: GraphQLResolveInfo,
    ) =>
      once(info, input, () =>
        answering(() => {
          state.levels.set(`${input.inventoryItemId} ${input.locationId}`, input.available ?? 0)
          return { inventoryLevel: null }
        }),
      ),
  }
}

function setQuantities(state: State, { name, reason, quantities }: SetQuantitiesIn): object {
  if (name !== 'available' && name !== 'on_hand')
    throw new Refusal('INVALID_NAME', ['input', 'name'], "The quantity name must be either 'available' or 'on_hand'.")
  if (reason !== 'correction' && reason !== 'other')
    throw new Refusal('INVALID_REASON', ['input', 'reason'], 'The specified reason is invalid.')
  const items = new Map([...state.variants.values()].map((variant) => [variant.inventoryItemId, variant]))
  for (const [index, { inventoryItemId, locationId, quantity, changeFromQuantity }] of quantities.entries()) {
    const at = (field: string) => ['input', 'quantities', String(index), field]
    const variant = items.get(inventoryItemId)
    if (!variant)
      throw new Refusal(
        'INVALID_INVENTORY_ITEM',
        at('inventoryItemId'),
        'The specified inventory item could not be found.',
      )
    if (variant.item.sku !== null && state.rejects(variant.item.sku))
      throw new Refusal(
        'NON_MUTABLE_INVENTORY_ITEM',
        at('inventoryItemId'),
        `The inventory item ${variant.item.sku} is not allowed to be adjusted via API.`,
      )
    if (!state.locations.some(({ id }) => id === locationId))
      throw new Refusal('INVALID_LOCATION', at('locationId'), 'The specified location could not be found.')
    const available = state.levels.get(`${inventoryItemId} ${locationId}`)
    if (available === undefined)
      throw new Refusal(
        'ITEM_NOT_STOCKED_AT_LOCATION',
        at('locationId'),
        'The specified inventory item is not stocked at the location.',
      )
    if (quantity > QUANTITY_MAX)
      throw new Refusal(
        'INVALID_QUANTITY_TOO_HIGH',
        at('quantity'),
        `The quantity ${quantity} can't be higher than 1,000,000,000.`,
      )
    if (typeof changeFromQuantity === 'number' && changeFromQuantity !== available)
      throw new Refusal(
        'CHANGE_FROM_QUANTITY_STALE',
        at('changeFromQuantity'),
        'The changeFromQuantity value does not match persisted value.',
      )
  }
  for (const { inventoryItemId, locationId, quantity } of quantities)
    state.levels.set(`${inventoryItemId} ${locationId}`, quantity)
  return { inventoryAdjustmentGroup: { id: newId(state, 'InventoryAdjustmentGroup') } }
}
