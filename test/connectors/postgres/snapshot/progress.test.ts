import { expect, test } from 'vitest'
import type { CapturedTable } from '../../../../connectors/postgres/captured-table.ts'
import {
  type EntityProgress,
  finishRun,
  forgotten,
  inOrder,
  isKnownRequest,
  neededFrom,
  parseProgress,
  progressOf,
  REQUESTS_MAX,
  startNext,
  withRequest,
  withRun,
} from '../../../../connectors/postgres/snapshot/progress.ts'
import { captured, entityOf } from '../own-database.ts'

const whole = captured(entityOf('customers', { id: 'int64', name: 'string', email: 'string' }))
const less = captured(entityOf('customers', { id: 'int64', name: 'string' }))
const begun = withRun(progressOf(whole, undefined, 1, 5, 'as it is'), { first: '900', after: ['7'], rowsDone: 7 })
const done = finishRun(begun)
const again = (table: CapturedTable, stored: EntityProgress | undefined, epoch = 1) =>
  progressOf(table, stored, epoch, 5, 'as it is')

test('a table needs a snapshot until one is on the topic, and then no more', () => {
  expect(again(whole, undefined)).toMatchObject({ whole: null, running: { first: null, after: null, where: [] } })
  expect(done).toMatchObject({ whole: { position: '900' }, running: null })
  expect(again(whole, done)).toEqual(done)
})

test('a snapshot under way goes on where it was', () => {
  expect(again(whole, begun)).toEqual(begun)
  expect(parseProgress(JSON.parse(JSON.stringify(begun)))).toEqual(begun)
  expect(parseProgress({ epoch: 1 })).toBeUndefined()
})

test('the place in a snapshot counts only in the order it was stored with', () => {
  const order = ['id bigint', 'name text 100']
  const run = withRun(begun, { order }).running!
  expect(inOrder(run, [...order])).toBeUndefined()
  expect(inOrder(run, [...order].reverse())).toEqual({ order: [...order].reverse(), after: null, rowsDone: 0 })
  // Stored by an earlier release, which did not tell.
  const { order: _, ...before } = begun.running!
  expect(inOrder(parseProgress({ ...begun, running: before })!.running!, order)).toMatchObject({ after: null })
  expect(inOrder({ ...run, order: null, after: null }, order)).toEqual({ order })
})

test('a table that is published otherwise is read anew, also in mid-snapshot; what was stored before that was looked at is not', () => {
  const republished = (stored: EntityProgress) => progressOf(whole, stored, 1, 5, 'otherwise')
  for (const stored of [done, begun])
    expect(republished(stored)).toMatchObject({ whole: null, running: { first: null }, published: 'otherwise' })
  const { published: _, ...earlier } = JSON.parse(JSON.stringify(done))
  expect(republished(parseProgress(earlier)!)).toEqual({ ...done, published: 'otherwise' })
})

test('in another epoch nothing of it counts', () => {
  expect(again(whole, done, 2)).toMatchObject({ epoch: 2, whole: null, running: { first: null } })
  expect(again(whole, begun, 2)).toMatchObject({ epoch: 2, running: { after: null } })
})

test('a field that was taken out and comes back needs a snapshot: its changes meanwhile are not on the topic', () => {
  const without = again(less, done)
  expect(without.running).toBeNull()
  expect(again(whole, without).running).not.toBeNull()
})

test('a field added while a snapshot is under way begins it anew', () => {
  const running = again(less, undefined)
  expect(again(whole, withRun(running, { first: '5', after: ['7'] })).running).toMatchObject({
    first: null,
    after: null,
  })
})

test('a field that is read from another column, and an entity that is read from another table, need a snapshot', () => {
  const column: CapturedTable = { ...whole, columns: { ...whole.columns, email: 'email_2' } }
  const table: CapturedTable = { ...whole, table: { schema: 'public', name: 'clients' } }
  expect(again(column, done).running).not.toBeNull()
  expect(again(table, done).running).not.toBeNull()
})

test('requests wait for their turn, are taken once, and are bounded', () => {
  const asked = withRequest(begun, { id: 'r1', where: [] }) as EntityProgress
  expect(startNext(whole, asked, 9).running).toBe(begun.running)
  expect(isKnownRequest(asked, 'r1')).toBe(true)
  const next = startNext(whole, finishRun(asked), 9)
  expect(next).toMatchObject({ running: { id: 'r1', startedAtMs: 9 }, requests: [] })
  expect(isKnownRequest(next, 'r1')).toBe(true)
  // After a crash the message may come again when all is done.
  expect(isKnownRequest(finishRun(withRun(next, { first: '950' })), 'r1')).toBe(true)
  expect(isKnownRequest(next, 'r2')).toBe(false)
  let full: EntityProgress | 'full' = done
  for (let id = 0; id <= REQUESTS_MAX; id++) full = withRequest(full as EntityProgress, { id: `${id}`, where: [] })
  expect(full).toBe('full')
})

test('a part of the rows makes nothing whole', () => {
  const part = startNext(
    whole,
    {
      ...again(whole, undefined),
      running: null,
      requests: [{ id: 'x', where: [{ field: 'id', op: '=', value: '1' }] }],
    },
    9,
  )
  expect(finishRun(withRun(part, { first: '5' })).whole).toBeNull()
  // What the pipeline itself wants comes first.
  expect(again(whole, part).running).toMatchObject({ id: null, where: [] })
})

test('a request whose snapshot is given up is carried out again: whoever asked still waits', () => {
  const asked = [{ id: 'r1', where: [{ field: 'id', op: '=' as const, value: '1' }] }]
  const running = startNext(whole, { ...done, requests: asked }, 9)
  const waits = { running: { id: null, where: [] }, requests: asked }
  expect(again(whole, running, 2)).toMatchObject(waits)
  expect(again(whole, forgotten(running))).toMatchObject(waits)
  const less1 = startNext(less, { ...finishRun(withRun(again(less, undefined), { first: '5' })), requests: asked }, 9)
  expect(again(whole, less1)).toMatchObject(waits)
  expect(again(whole, running)).toEqual(running)
})

test('a request whose filter does not fit the declaration any more is answered with the reason', () => {
  const where = [{ field: 'email', op: '=' as const, value: 'x' }]
  const running = startNext(
    whole,
    {
      ...done,
      requests: [
        { id: 'r1', where },
        { id: 'r2', where },
      ],
    },
    9,
  )
  const problem = expect.stringContaining('no field of that name')
  expect(again(less, running)).toMatchObject({
    running: null,
    requests: [],
    answers: [
      { id: 'r1', rows: 0, problem },
      { id: 'r2', rows: 0, problem },
    ],
  })
})

test('changes are needed from the first rows on, and from nowhere before there are any', () => {
  expect(neededFrom(again(whole, undefined))).toBeUndefined()
  expect(neededFrom(begun)).toBe(900n)
  expect(neededFrom(done)).toBe(900n)
  // A field that was added makes what is whole a part again.
  const less1 = finishRun(withRun(again(less, undefined), { first: '5' }))
  expect(neededFrom(again(whole, less1))).toBeUndefined()
})
