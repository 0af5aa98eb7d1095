import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { BREAKER_STATES } from '../../consumers/health/breaker.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import type { EntityClass } from '../../schemas/entity.ts'
import { LATENCY_BUCKETS_SECONDS, REQUEST_BUCKETS_SECONDS } from './buckets.ts'

/** @param classOf the class of an entity that is declared */
export function createDeliveryMetrics(
  registers: Registry[],
  classOf: (entity: string) => EntityClass,
): (subscriber: string) => DeliveryObserver {
  const counter = (name: string, help: string, ...labels: string[]) =>
    new Counter({ name, help, labelNames: ['subscriber', 'entity', ...labels], registers })
  const received = counter('tributary_records_received_total', 'Records read from the topics.')
  const coalesced = counter('tributary_records_coalesced_total', 'Records that became one with another of their key.')
  const gated = counter('tributary_records_gated_total', 'Records that needed no request.', 'reason')
  const patches = counter('tributary_patches_total', 'Patches that took effect.', 'op', 'full')
  const fields = counter('tributary_patched_fields_total', 'Fields in the patches that took effect.')
  const answers = counter('tributary_answers_total', 'Answers of the subscriber other than applied.', 'outcome')
  const deadLetters = counter('tributary_dead_letters_total', 'Records given up to the dead-letter topic.', 'code')
  const retries = counter('tributary_retries_total', 'Records that failed by themselves and are tried again.')
  const breakers = new Gauge({
    name: 'tributary_breaker_state',
    help: '1 for the state of the breaker: closed, open (the subscriber is down) or probing.',
    labelNames: ['subscriber', 'class', 'state'],
    registers,
  })
  const latency = new Histogram({
    name: 'tributary_sync_latency_seconds',
    help: 'From the commit at the source until the patch took effect at the subscriber.',
    labelNames: ['subscriber', 'entity', 'class'],
    buckets: LATENCY_BUCKETS_SECONDS,
    registers,
  })
  const gauge = (name: string, help: string, label: 'class' | 'entity') =>
    new Gauge({ name, help, labelNames: ['subscriber', label], registers })
  const requests = gauge(
    'tributary_requests_in_flight',
    'Requests under way at the subscriber, by this process.',
    'class',
  )
  const requestsMax = gauge('tributary_requests_in_flight_limit', 'How many of them there may be now.', 'class')
  const parked = gauge('tributary_keys_parked', 'Keys that wait alone, as they failed or are held.', 'entity')
  const ledgerSeconds = new Histogram({
    name: 'tributary_ledger_seconds',
    help: 'Time in the ledger for one batch: gate and settle.',
    labelNames: ['subscriber', 'entity'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  })
  const applySeconds = new Histogram({
    name: 'tributary_apply_seconds',
    help: 'Time at the subscriber for one batch.',
    labelNames: ['subscriber', 'entity'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  })
  return (subscriber) => ({
    received: (entity, records) => received.inc({ subscriber, entity }, records),
    coalesced: (entity, records) => coalesced.inc({ subscriber, entity }, records),
    gated: (entity, reason, records) => gated.inc({ subscriber, entity, reason }, records),
    applied: ({ entity, op, full, fields: sent, latencyMs }) => {
      patches.inc({ subscriber, entity, op, full: String(full) })
      fields.inc({ subscriber, entity }, Object.keys(sent).length)
      // A snapshot row was committed at some time before; only a change has a latency.
      if (op !== 'snapshot')
        latency.observe({ subscriber, entity, class: classOf(entity) }, Math.max(0, latencyMs / 1000))
    },
    answered: (entity, outcome) => answers.inc({ subscriber, entity, outcome }),
    deadLettered: (entity, code) => deadLetters.inc({ subscriber, entity, code }),
    retried: (entity) => retries.inc({ subscriber, entity }),
    breaker(entityClass, now) {
      for (const state of BREAKER_STATES) breakers.set({ subscriber, class: entityClass, state }, state === now ? 1 : 0)
    },
    // How far a group is behind is told for all its members at once, also when there are none.
    lag: () => {},
    load(entityClass, load) {
      requests.set({ subscriber, class: entityClass }, load.requests)
      requestsMax.set({ subscriber, class: entityClass }, load.requestsMax)
      for (const [entity, keys] of load.parkedKeys) parked.set({ subscriber, entity }, keys)
    },
    batch: (entity, _records, ledgerMs, applyMs) => {
      ledgerSeconds.observe({ subscriber, entity }, ledgerMs / 1000)
      applySeconds.observe({ subscriber, entity }, applyMs / 1000)
    },
  })
}
