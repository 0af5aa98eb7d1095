import type { RecentChange, ViewModel } from '../view-model.ts'
import { clockText, countText, latencyText, rateText } from './numbers.ts'
import { safeText } from './width.ts'

/** The state in one line without codes, for logs and pipes. */
export function renderSummary(model: ViewModel): string {
  const at = clockText(model.upMs)
  if (model.stage === 'starting') {
    const services = model.services.map(({ name, state }) => `${name} ${state}`).join(', ')
    return `${at} starting  ${services}`.trimEnd()
  }
  const parts = [`${at} ${model.stage}`]
  const copying = model.entities.filter((entity) => entity.snapshot && !entity.snapshot.done)
  for (const { name, snapshot } of copying)
    parts.push(`${name} ${countText(snapshot!.rowsDone)} of ${countText(snapshot!.rowsEstimated)}`)
  const { captured, published, patched } = model.rates
  parts.push(`captured ${rateText(captured)}/s  published ${rateText(published)}/s  patched ${rateText(patched)}/s`)
  if (model.latency) {
    const { p50, p95, p99 } = model.latency
    parts.push(`latency p50 ${latencyText(p50)}  p95 ${latencyText(p95)}  p99 ${latencyText(p99)}`)
  }
  if (model.lag !== null) parts.push(`lag ${countText(model.lag)}`)
  parts.push(`dead letters ${countText(model.deadLetters)}`)
  for (const { name, state, behind } of model.subscribers)
    parts.push(`${name} ${state}${behind === null ? '' : ` ${countText(behind)} behind`}`)
  return parts.join('  ')
}

/** The change that is followed, and what it became at each subscriber, in one line; empty until it is everywhere. */
export function renderChange({ oneChange }: Pick<ViewModel, 'oneChange'>): string {
  if (oneChange === null || oneChange.arrivals.some(({ state }) => state === 'waits')) return ''
  const parts = oneChange.arrivals.flatMap(({ subscriber, patch }) =>
    patch ? [`${subscriber} ${patchText(patch)}`] : [],
  )
  return safeText(`one change  ${oneChange.entity} ${oneChange.key} at ${oneChange.time}:  ${parts.join('  |  ')}`)
}

function patchText({ kind, fields }: RecentChange): string {
  return kind === 'delete' ? 'deleted' : fields.map(({ name, text }) => `${name}=${text}`).join(' ')
}

/** All that a program may want to know, as one line of JSON. */
export function renderJson(model: ViewModel): string {
  const { stage, upMs, rates, latency, lag, deadLetters, oneChange } = model
  const subscribers = model.subscribers.map(({ behindHistory: _, ...subscriber }) => subscriber)
  return JSON.stringify({ stage, upMs, rates, latency, lag, deadLetters, subscribers, oneChange })
}
