import { type ODataError, type Refusal, refusalOfStatus } from '../odata/refusal.ts'

/**
 * Finance & Operations gives no codes: every error is `An error has occurred.` with the words of the infolog inside. These are the English
 * ones, which an application user has unless its language was changed.
 */
const WORDS: readonly (readonly [RegExp, Refusal])[] = [
  [/record already exists/i, 'duplicate'],
  [/not found in the related table/i, 'reference'],
  [
    /resource not found for the segment|no http resource was found|does not exist on type|property .* is not (declared|defined)/i,
    'everyone',
  ],
  [/deadlock|another user (has )?(already )?(changed|modified)|update conflict/i, 'changed'],
]

export function financeOperationsRefusal(error: ODataError, request: 'find' | 'create' | 'update' | 'delete'): Refusal {
  // An object that is not there is 404 without a body.
  if (error.status === 404 && error.isEmpty && request !== 'create') return 'missing'
  const known = WORDS.find(([words]) => words.test(error.message))
  return known?.[1] ?? refusalOfStatus(error)
}
