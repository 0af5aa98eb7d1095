import { describe, expect, test, vi } from 'vitest'
import type { Outcome } from '../../../connectors/destination.ts'
import { verdictOf } from '../../../connectors/salesforce/answers.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { ACCOUNTS, ORDERS, startSubject } from './salesforce-sandbox.ts'

const CANARY = 'canary-value'
const error = (statusCode: string, message = `bad ${CANARY}`, fields: readonly string[] = []) => ({
  statusCode,
  message,
  fields,
})
/** What must not be in what the engine is told, however deep. */
const told = (outcome: Outcome | undefined) =>
  JSON.stringify(outcome, (_key, value: unknown) =>
    value instanceof Error ? { message: value.message, stack: value.stack, cause: value.cause } : value,
  )

describe('an item of a collection that failed, although the answer is 200,', () => {
  test.each([
    ['UNABLE_TO_LOCK_ROW', 'conflict'],
    ['REQUEST_RUNNING_TOO_LONG', 'conflict'],
    ['EXCEEDED_MAX_TRANSACTION_LIMIT', 'conflict'],
    ['UNKNOWN_EXCEPTION', 'conflict'],
    ['ENTITY_IS_DELETED', 'rejected'],
    ['FIELD_CUSTOM_VALIDATION_EXCEPTION', 'rejected'],
    ['REQUIRED_FIELD_MISSING', 'rejected'],
    ['STRING_TOO_LONG', 'rejected'],
    ['DUPLICATES_DETECTED', 'rejected'],
    ['INSUFFICIENT_ACCESS_OR_READONLY', 'rejected'],
    ['A_CODE_OF_NEXT_YEAR', 'rejected'],
    ['DUPLICATE_VALUE', 'blocked'],
    ['INVALID_CROSS_REFERENCE_KEY', 'blocked'],
    ['REQUEST_LIMIT_EXCEEDED', 'throttled'],
    ['STORAGE_LIMIT_EXCEEDED', 'unavailable'],
    ['SERVER_UNAVAILABLE', 'unavailable'],
    ['INVALID_FIELD_FOR_INSERT_UPDATE', 'unavailable'],
  ])('with %s is %s, and the others are applied', async (code, kind) => {
    const { sandbox, apply, held } = await startSubject()
    sandbox.failKey('b', error(code))
    const patches = ['a', 'b', 'c'].map((key) => fullPatch(key, 1, { Name: CANARY }))
    const outcomes = await apply(ACCOUNTS, ...patches)
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['applied', kind, 'applied'])
    expect(told(outcomes[1])).not.toContain(CANARY)
    if (kind === 'rejected' || kind === 'blocked') expect(outcomes[1]).toMatchObject({ code })
    expect(held('Account', 'b')).toBeUndefined()
    expect(held('Account', 'c')).toMatchObject({ Name: CANARY })
  })

  test('by a trigger that met a lock is a conflict', async () => {
    const { sandbox, apply } = await startSubject()
    sandbox.failKey('a', error('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 'T: first error: UNABLE_TO_LOCK_ROW, unable'))
    sandbox.failKey('b', error('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 'T: execution of BeforeInsert'))
    const outcomes = await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }), fullPatch('b', 1, { Name: 'B' }))
    expect(outcomes.map(({ kind }) => kind)).toEqual(['conflict', 'rejected'])
  })

  test('names fields of the mapping, and nothing else that came as a field', async () => {
    const { sandbox, apply } = await startSubject()
    sandbox.failKey('a', error('INVALID_EMAIL_ADDRESS', CANARY, ['Email__c', CANARY]))
    expect(await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))).toEqual([
      {
        kind: 'rejected',
        code: 'INVALID_EMAIL_ADDRESS',
        reason: 'Salesforce answers INVALID_EMAIL_ADDRESS for Email__c',
      },
    ])
  })

  test('with a code that is no code is nobody’s fault', async () => {
    const { sandbox, apply } = await startSubject()
    sandbox.failKey('a', error(`code ${CANARY}`))
    const [outcome] = await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    expect(outcome?.kind).toBe('unavailable')
    expect(told(outcome)).not.toContain(CANARY)
  })
})

test('a single update of a record that the app may not change is rejected, and no outage', async () => {
  const { sandbox, apply } = await startSubject()
  await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
  sandbox.failKey('a', error('INSUFFICIENT_ACCESS_OR_READONLY'))
  expect(await apply(ACCOUNTS, partialPatch('a', 2, { Name: 'B' }))).toMatchObject([
    { kind: 'rejected', code: 'INSUFFICIENT_ACCESS_OR_READONLY' },
  ])
  expect(sandbox.requests.at(-1)?.result).toBe(403)
})

describe('several objects with one key', () => {
  const twice = async () => {
    const subject = await startSubject(
      {},
      {
        objects: [
          {
            name: 'Account',
            prefix: '001',
            fields: [
              { name: 'Ext_Id__c', type: 'string', externalId: true },
              { name: 'Name', type: 'string' },
            ],
          },
        ],
      },
    )
    await subject.apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }), fullPatch('b', 1, { Name: 'B' }))
    // Somebody gives the second the key of the first: nothing there forbids it.
    const [, b] = subject.sandbox.objects('Account') as { Id: string }[]
    const { Connection } = (await import('jsforce')).default
    const token = await (await import('./token.ts')).tokenFor(subject.sandbox.url)
    const connection = new Connection({ instanceUrl: subject.sandbox.url, accessToken: token, version: '66.0' })
    await connection.sobject('Account').update({ Id: b!.Id, Ext_Id__c: 'a' })
    return subject
  }
  const FOR_A_PERSON = { kind: 'rejected', code: 'MULTIPLE_CHOICES' }

  test('are for a person: 300 for one, DUPLICATE_EXTERNAL_ID in a collection, two rows of a query', async () => {
    const { apply, sent } = await twice()
    expect(await apply(ACCOUNTS, partialPatch('a', 2, { Name: 'C' }))).toMatchObject([FOR_A_PERSON])
    expect(sent().at(-1)).toBe('PATCH /sobjects/Account/Ext_Id__c/a')
    expect(await apply(ACCOUNTS, fullPatch('a', 2, { Name: 'C' }))).toMatchObject([FOR_A_PERSON])
    expect(await apply(ACCOUNTS, removal('a', 2))).toMatchObject([FOR_A_PERSON])
  })
})

describe('what waits for another object', () => {
  test('is blocked by the object that a lookup refers to, and goes when it is there', async () => {
    const { apply, held, sandbox } = await startSubject()
    const order = fullPatch('o-1', 1, { Name: 'O', Account__c: CANARY, Amount__c: '12.50' })
    const [waiting] = await apply(ORDERS, order)
    expect(waiting).toMatchObject({ kind: 'blocked', by: 'Account', code: 'INVALID_FIELD' })
    expect(told(waiting)).not.toContain(CANARY)
    await apply(ACCOUNTS, fullPatch(CANARY, 1, { Name: 'A' }))
    expect(await apply(ORDERS, order)).toEqual([{ kind: 'applied' }])
    const [account] = sandbox.objects('Account') as { Id: string }[]
    expect(held('Order__c', 'o-1')).toMatchObject({ Account__c: account!.Id, Amount__c: 12.5 })
  })

  test('names the one of two lookups that leads nowhere, in a single request too', async () => {
    const { apply } = await startSubject()
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    await apply(ORDERS, fullPatch('o-1', 1, { Name: 'O' }))
    expect(await apply(ORDERS, partialPatch('o-1', 2, { Account__c: 'a', Contact__c: 'nobody' }))).toMatchObject([
      { kind: 'blocked', by: 'Contact' },
    ])
  })

  test('null clears a lookup', async () => {
    const { apply, held } = await startSubject()
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    await apply(ORDERS, fullPatch('o-1', 1, { Name: 'O', Account__c: 'a' }))
    expect(held('Order__c', 'o-1')?.Account__c).not.toBeNull()
    expect(await apply(ORDERS, partialPatch('o-1', 2, { Account__c: null }))).toEqual([{ kind: 'applied' }])
    expect(held('Order__c', 'o-1')?.Account__c).toBeNull()
  })

  test('a unique value that another object still holds is blocked, and goes when it is free', async () => {
    const { apply, held } = await startSubject()
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A', Tax_Id__c: 'T' }))
    const taking = fullPatch('b', 1, { Name: 'B', Tax_Id__c: 'T' })
    expect(await apply(ACCOUNTS, taking)).toMatchObject([{ kind: 'blocked', by: '', code: 'DUPLICATE_VALUE' }])
    expect(await apply(ACCOUNTS, partialPatch('a', 2, { Tax_Id__c: null }), taking)).toEqual([
      { kind: 'applied' },
      { kind: 'applied' },
    ])
    expect(held('Account', 'b')?.Tax_Id__c).toBe('T')
  })

  test('a full patch of an object that is only changed here, and missing, is blocked', async () => {
    const { apply, held } = await startSubject()
    const mapping = { ...ACCOUNTS, updateOnly: true }
    expect(await apply(mapping, fullPatch('a', 1, { Name: 'A' }), partialPatch('b', 1, { Name: 'B' }))).toMatchObject([
      { kind: 'blocked', by: '', code: 'object-missing' },
      { kind: 'absent' },
    ])
    expect(held('Account', 'a')).toBeUndefined()
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    expect(await apply(mapping, fullPatch('a', 2, { Name: 'A2' }))).toEqual([{ kind: 'applied' }])
    expect(held('Account', 'a')).toMatchObject({ Name: 'A2' })
  })
})

describe('a whole request', () => {
  test('that is refused for one record is split until it stands alone', async () => {
    const { apply, held } = await startSubject()
    const mapping = {
      ...ACCOUNTS,
      fields: ACCOUNTS.fields.map((field) => ({ ...field, type: { kind: 'string' as const } })),
    }
    // A text for a number: its reader stops there, and refuses all.
    const patches = Array.from({ length: 20 }, (_, at) =>
      fullPatch(`k-${at}`, 1, { Name: 'N', ...(at === 13 ? { Balance__c: CANARY } : {}) }),
    )
    const outcomes = await apply(mapping, ...patches)
    expect(outcomes[13]).toMatchObject({ kind: 'rejected', code: 'JSON_PARSER_ERROR' })
    expect(told(outcomes[13])).not.toContain(CANARY)
    expect(outcomes.filter(({ kind }) => kind === 'applied')).toHaveLength(19)
    expect(held('Account', 'k-19')).toBeDefined()
  })

  test('that names a field which nobody has is the declaration’s fault, and not split', async () => {
    const { apply, sent } = await startSubject()
    const mapping = { ...ACCOUNTS, fields: [{ ...ACCOUNTS.fields[0]!, to: 'Gone__c' }] }
    const outcomes = await apply(mapping, fullPatch('a', 1, { Gone__c: 'x' }), fullPatch('b', 1, { Gone__c: 'y' }))
    expect(outcomes).toMatchObject([
      { kind: 'unavailable', error: { code: 'destination-unsuitable' } },
      { kind: 'unavailable', error: { code: 'destination-unsuitable' } },
    ])
    expect(sent()).toHaveLength(1)
  })

  test.each([
    [
      'throttled, with the time that is told',
      { throttle: { retryAfterSeconds: 7 } },
      { kind: 'throttled', afterMs: 7_000 },
    ],
    [
      'throttled, a minute where none is told',
      { throttle: { retryAfterSeconds: 0 } },
      { kind: 'throttled', afterMs: 60_000 },
    ],
    ['unknown at 503, which may come after the request was passed on', { status: 503 }, { kind: 'unknown' }],
    ['unavailable at 403 without a limit', { status: 403 }, { kind: 'unavailable' }],
    ['unknown at 500', { status: 500 }, { kind: 'unknown' }],
    ['unknown at 502', { status: 502, applied: true }, { kind: 'unknown' }],
    ['unknown when the connection breaks before', { reset: 'before' }, { kind: 'unknown' }],
    ['unknown when the connection breaks after', { reset: 'after' }, { kind: 'unknown' }],
    ['unavailable when nobody listens', { down: true }, { kind: 'unavailable' }],
  ] as const)('is %s', async (_, how, outcome) => {
    const { sandbox, apply } = await startSubject()
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    await sandbox.misbehave(how)
    const outcomes = await apply(ACCOUNTS, fullPatch('a', 2, { Name: 'B' }), fullPatch('b', 2, { Name: 'B' }))
    expect(outcomes).toMatchObject([outcome, outcome])
  })

  test('with 503 is unavailable where Salesforce itself says so, and throttled where a time is told', () => {
    const answer = (headers: Record<string, string>, errorCode: string) =>
      verdictOf({ status: 503, headers, body: Buffer.from(JSON.stringify([{ message: '', errorCode }])) })
    expect(answer({}, 'SERVER_UNAVAILABLE')).toMatchObject({ kind: 'all', outcome: { kind: 'unavailable' } })
    const outcome = { kind: 'throttled', afterMs: 9_000 }
    expect(answer({ 'retry-after': '9' }, 'X')).toEqual({ kind: 'all', outcome })
  })

  test('that is given up while it is not answered is unknown', { timeout: 60_000 }, async () => {
    const { sandbox, destination, apply } = await startSubject()
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    await sandbox.misbehave({ hang: 'after' })
    const giveUp = new AbortController()
    const outcomes = destination.apply(ACCOUNTS, [fullPatch('a', 2, { Name: 'B' })], giveUp.signal)
    await vi.waitFor(() => expect(sandbox.requests.at(-1)?.result).toBe('hung-after'), { timeout: 30_000 })
    giveUp.abort()
    expect(await outcomes).toMatchObject([{ kind: 'unknown' }])
  })

  test.each([{ status: 500 }, { reset: 'after' }] as const)(
    'whose look-up fails (%o) changed nothing, so it is unavailable and never unknown',
    async (how) => {
      const { sandbox, apply, sent } = await startSubject()
      await sandbox.misbehave({ ...how, methods: ['GET'] })
      expect(await apply(ACCOUNTS, removal('a', 1))).toMatchObject([{ kind: 'unavailable' }])
      expect(sent()).toEqual(['GET /query'])
    },
  )

  test('rejecting one record leaves the others', async () => {
    const { sandbox, apply } = await startSubject()
    await sandbox.misbehave({ rejectKeys: ['b'] })
    expect(await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }), fullPatch('b', 1, { Name: 'B' }))).toMatchObject([
      { kind: 'applied' },
      { kind: 'rejected', code: 'FIELD_CUSTOM_VALIDATION_EXCEPTION' },
    ])
  })
})
