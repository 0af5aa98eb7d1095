import { type ODataError, type Refusal, refusalOfStatus } from '../odata/refusal.ts'

/**
 * What Dataverse's own codes say that the status does not ("Web service error codes", "Troubleshoot Dataverse Web API client errors",
 * "Service protection API limits"). In lower case.
 */
const CODES: Readonly<Record<string, Refusal>> = {
  // Service protection: requests, execution time, concurrency.
  '0x80072322': 'throttled',
  '0x80072321': 'throttled',
  '0x80072326': 'throttled',
  // ConcurrencyVersionMismatch
  '0x80060882': 'changed',
  // OptimisticConcurrencyNotEnabled
  '0x8006088d': 'everyone',
  // Resource not found for the segment: the entity set, not the row.
  '0x8006088a': 'everyone',
  // ObjectDoesNotExist, RecordNotFoundByEntityKey: the row, or one that a lookup names.
  '0x80040217': 'missing',
  '0x80060891': 'missing',
  // DuplicateRecord, DuplicateRecordEntityKey, DuplicateRecordsFound (duplicate detection)
  '0x80040237': 'duplicate',
  '0x80060892': 'duplicate',
  '0x80040333': 'duplicate',
}

/** One code (0x80048d19) for a wrong value and for a property that nobody has: only the words tell them apart. */
const UNDECLARED =
  /undeclared property|invalid property|could not find a property named|key in the request uri is not valid/i

export function dataverseRefusal(error: ODataError): Refusal {
  const known = CODES[error.code.toLowerCase()]
  if (known !== undefined) return known
  return error.status === 400 && UNDECLARED.test(error.message) ? 'everyone' : refusalOfStatus(error)
}
