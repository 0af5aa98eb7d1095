import type { ClockReading } from '../../connectors/postgres/checkup/checkup.ts'
import { type Finding, fail, ok, orElse, warn } from './finding.ts'

/** Above this, delays and freshness are told wrongly. */
const WARN_MS = 1_000
/** Receivers of signed requests refuse what is dated further off (Standard Webhooks); stores of large values allow 15 minutes. */
const FAIL_MS = 5 * 60_000

/**
 * How far other clocks are from ours. What cannot be told for the time that the question took is not held against them. Kafka does not tell its
 * time. Pure.
 */
export function decideClocks(readings: ReadonlyMap<string, ClockReading>): readonly Finding[] {
  const name = 'clocks'
  const offsets = [...readings].map(([who, reading]) => ({ who, ...offsetOf(reading) }))
  const findings = offsets.flatMap(({ who, offsetMs, uncertainMs }): Finding[] => {
    const surely = Math.abs(offsetMs) - uncertainMs
    if (surely <= WARN_MS) return []
    const found = `its clock is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs > 0 ? 'ahead of' : 'behind'} this machine's`
    const todo =
      'On both machines: timedatectl timesync-status, or chronyc tracking. The one that is off: timedatectl set-ntp true'
    return surely > FAIL_MS
      ? [fail(name, who, `${found}: whose clock is off, its signed requests and large values are refused`, todo)]
      : [warn(name, who, `${found}: delays and freshness are told wrongly by that much`, todo)]
  })
  if (offsets.length === 0) return []
  const told = offsets.map(({ who, offsetMs }) => `${who} ${offsetMs < 0 ? '' : '+'}${Math.round(offsetMs)} ms`)
  return orElse(findings, ok(name, 'this machine', told.join(', ')))
}

/** Their clock was read at some moment between question and answer: the middle, give or take the half. */
function offsetOf({ theirMs, sentMs, heardMs }: ClockReading) {
  return { offsetMs: theirMs - (sentMs + heardMs) / 2, uncertainMs: (heardMs - sentMs) / 2 }
}
