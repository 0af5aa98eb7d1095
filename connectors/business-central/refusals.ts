import { type ODataError, type Refusal, refusalOfStatus } from '../odata/refusal.ts'

/** "Error Codes" of the Business Central API; what is not named goes by its family, or by the status. */
const CODES: Readonly<Record<string, Refusal>> = {
  Request_EntityChanged: 'changed',
  Internal_EntityWithSameKeyExists: 'duplicate',
  Internal_InvalidTableRelation: 'reference',
  Internal_RecordNotFound: 'missing',
  Internal_DataNotFoundFilter: 'missing',
  BadRequest_ResourceNotFound: 'missing',
  // The set, the company, a property that nobody has, a read-only one: the declaration.
  BadRequest_NotFound: 'everyone',
  BadRequest_InvalidRequestUrl: 'everyone',
  BadRequest_InvalidOperation: 'everyone',
  BadRequest_MethodNotAllowed: 'everyone',
  BadRequest_InvalidToken: 'everyone',
  Internal_CompanyNotFound: 'everyone',
  Internal_TenantUnavailable: 'down',
  Internal_MetadataSyncError: 'down',
  Application_TooManyRequests: 'throttled',
}

export function businessCentralRefusal(error: ODataError): Refusal {
  const known = CODES[error.code]
  if (known !== undefined) return known
  if (/^Auth(entication|orization)_/.test(error.code)) return 'everyone'
  if (/^Application_/.test(error.code)) return 'record'
  if (error.status === 400 && /property .* does not exist|could not find a property/i.test(error.message))
    return 'everyone'
  return refusalOfStatus(error)
}
