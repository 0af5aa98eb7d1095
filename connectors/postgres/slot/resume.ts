import { TributaryError } from '../../../schemas/errors.ts'
import type { SourceState } from '../../source.ts'
import type { Inspection } from '../catalog/inspect.ts'
import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { withoutUncaptured } from '../snapshot/snapshot-state.ts'
import type { PostgresSourceOptions } from '../source.ts'
import { openReader, type Reader } from '../stream/reader.ts'
import { createSlot, decideSlot, describeHolder, loadPlace, loadSlot, tellIfWaiting } from './slot.ts'

/** A killed predecessor's server process needs a moment to notice. Then whoever started this one by hand should hear why it waits. */
const SLOT_WAIT_MAX_MS = 8_000
const SLOT_POLL_MS = 250

/**
 * Makes the slot if it may, and works out the state to go on from.
 * @returns `isNew`: whether the state has to be stored before anything else
 */
export async function establish(
  sql: Sql,
  options: PostgresSourceOptions,
  inspection: Inspection,
  given: SourceState | null,
  signal: AbortSignal,
): Promise<{ readonly state: SourceState; readonly isNew: boolean }> {
  const { name, slot } = options
  const place = await loadPlace(sql)
  const decision = decideSlot(slot, await loadSlot(sql, slot), place, given)
  if (decision === 'create')
    await tellIfWaiting(sql, `the replication slot "${slot}"`, options.onNotice ?? (() => {}), () =>
      createSlot(sql, slot, signal),
    )
  if (given === null) return { state: { epoch: 1, system: place.system, snapshots: {} }, isNew: true }
  if (decision === 'create') {
    options.onNotice?.({
      code: 'slot-recreated',
      message:
        `the replication slot of source "${name}" was gone before its first snapshot was complete, and was made again. ` +
        'Rows that an earlier attempt published and that were deleted meanwhile stay on the topic',
    })
    return { state: { ...given, epoch: given.epoch + 1 }, isNew: true }
  }
  const state = withoutUncaptured(given, inspection.tables)
  return { state, isNew: state !== given }
}

/**
 * Starts streaming, waiting for a moment while another process holds the slot.
 * @returns undefined when `signal` was aborted
 */
export async function openWhenFree(
  sql: Sql,
  options: PostgresSourceOptions,
  application: string,
  settled: () => bigint,
  signal: AbortSignal,
): Promise<Reader | undefined> {
  const { url, slot, publication } = options
  const deadline = performance.now() + SLOT_WAIT_MAX_MS
  while (!signal.aborted) {
    try {
      return await openReader({ url, application, slot, publication, settled })
    } catch (error) {
      const failed = failure(`starting to stream from slot "${slot}"`, error)
      if (failed.code !== 'slot-in-use') throw failed
      if (performance.now() >= deadline)
        throw new TributaryError(
          'slot-in-use',
          `replication slot "${slot}" is read by ${await describeHolder(sql, slot)}. There is one capture process a source: stop the other, or leave this one waiting to take over`,
          { cause: failed },
        )
      await pause(SLOT_POLL_MS, signal)
    }
  }
  return undefined
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
