import type { Flaw } from './flaw.ts'

/** Every broken build. A piece is as short as it can be and still be there once only. */
export const FLAWS = {
  ledgerFirst: {
    name: 'the ledger is written before applying',
    pieces: [
      {
        file: 'consumers/deliver.ts',
        is: '  await applyItems(context, route, ours)\n',
        becomes: `  for (const item of ours) item.outcome = { kind: 'applied' }
  await settle(context, route, ours, () => {})
  await applyItems(context, route, ours)\n`,
      },
    ],
  },
  versionByLsn: {
    name: 'a version is a log position alone',
    pieces: [
      {
        file: 'connectors/postgres/stream/translate.ts',
        is: 'const ordinal = nextOrdinal()\n      if (plan === undefined) return\n      if (plan.problem',
        becomes: 'const ordinal = 0\n      if (plan === undefined) return\n      if (plan.problem',
      },
    ],
  },
  acknowledgedByTimer: {
    name: 'what was received is acknowledged by a timer',
    pieces: [
      {
        file: 'connectors/postgres/stream/reader.ts',
        is: 'const confirmed = settled()',
        becomes: 'const confirmed = received > settled() ? received : settled()',
      },
      {
        file: 'connectors/postgres/stream/reader.ts',
        is: '    queue.push(message)\n',
        becomes: '    if (message[0] === WAL_DATA) received = message.readBigUInt64BE(9)\n    queue.push(message)\n',
      },
      {
        file: 'connectors/postgres/stream/reader.ts',
        is: 'if (due || settled() !== lastConfirmed) sendStatus(due)',
        becomes: 'sendStatus(due)',
      },
    ],
  },
  noFence: {
    name: 'an owner that was replaced is not refused',
    pieces: [
      {
        file: 'consumers/ledger/gate.lua',
        is: "if not owner or string.sub(owner, 1, 16) ~= ARGV[1] or string.sub(owner, 31, 38) ~= ARGV[2] then return {'fenced'} end",
        becomes: '',
      },
      {
        file: 'consumers/ledger/settle.lua',
        is: "if not owner or string.sub(owner, 1, 16) ~= ARGV[1] then return {'fenced'} end",
        becomes: '',
      },
    ],
  },
  concurrentSends: {
    name: 'sends overlap',
    pieces: [
      {
        file: 'producers/publish.ts',
        is: 'export const SEND_RECORDS_MAX = 5_000',
        becomes: 'export const SEND_RECORDS_MAX = 1',
      },
      {
        file: 'producers/publish.ts',
        is: '  let storeAtMs = 0\n',
        becomes: '  let storeAtMs = 0\n  let underWay: Promise<void>[] = []\n',
      },
      {
        file: 'producers/publish.ts',
        is: '        await send(plan.records)\n        options.onSent(plan',
        becomes: `        const sent = send(plan.records)
        sent.catch(() => {})
        underWay.push(sent)
        if (!connected || plan.settles !== null || plan.stores) {
          await Promise.all(underWay)
          underWay = []
        }
        options.onSent(plan`,
      },
      {
        file: 'connectors/kafka/producer.ts',
        is: 'if (sending || spent)',
        becomes: 'if (spent)',
      },
    ],
  },
  commitsPastHoles: {
    name: 'an offset is committed past a hole',
    pieces: [
      {
        file: 'consumers/lanes/offsets.ts',
        is: '    this.#done[ticket - this.#base] = true\n',
        becomes: `    this.#done[ticket - this.#base] = true
    const next = this.#offsets[ticket - this.#base]! + 1n
    if (this.#next === null || next > this.#next) this.#next = next\n`,
      },
      {
        file: 'consumers/lanes/offsets.ts',
        is: '      this.#next = this.#offsets[this.#head]! + 1n\n',
        becomes: '',
      },
    ],
  },
  changedFromTheWire: {
    name: 'a patch is what the record says has changed',
    pieces: [
      {
        file: 'consumers/patch.ts',
        is: 'if (full || fingerprints.get(id) !== fingerprint) {',
        becomes: 'if (full || change.changed === null || field.from.some((name) => change.changed!.includes(name))) {',
      },
    ],
  },
  uncertainIsCertain: {
    name: 'an uncertain key counts as certain',
    pieces: [
      {
        file: 'consumers/ledger/entry.ts',
        is: "const uncertain = answer[2] === 'u'",
        becomes: 'const uncertain = false',
      },
    ],
  },
  runIdIgnored: {
    name: 'the run id of Redis is ignored',
    pieces: [
      {
        file: 'consumers/ledger/gate.lua',
        is: '    if wrote ~= run then\n      uncertain, newest = true, UNKNOWN\n    elseif holder',
        becomes: '    if holder',
      },
    ],
  },
  coalescedByArrival: {
    name: 'waiting records become the one that came last',
    pieces: [
      {
        file: 'consumers/lanes/lanes.ts',
        is: 'const newer = compareVersions(second.version, first.version) >= 0 ? second : first',
        becomes: 'const newer = second',
      },
    ],
  },
  partialCreates: {
    name: 'a partial patch creates',
    pieces: [
      {
        file: 'connectors/warehouse/batch.ts',
        is: 'else (patch.full ? full : partial).push(row)',
        becomes: 'else full.push(row)',
      },
    ],
  },
  staleTail: {
    name: 'a writer that was replaced may still append',
    pieces: [
      {
        file: 'connectors/kafka/producer.ts',
        is: 'await (name === undefined ? producer.connect() : withProducerName(name, () => producer.connect()))',
        becomes: 'await producer.connect()',
      },
    ],
  },
  deletesIgnored: {
    name: 'deletes are ignored',
    pieces: [
      {
        file: 'consumers/engine.ts',
        is: '      if (isFence(record)) {\n',
        becomes: '      if (isFence(record) || record.value === null) {\n',
      },
    ],
  },
  lettersStay: {
    name: 'a success leaves the dead letter of its key',
    pieces: [
      {
        file: 'consumers/settle.ts',
        is: '      if (endsLetter(item)) records.push(resolvedRecord(prefix, subscriber, entity, item.record.key))\n',
        becomes: '',
      },
    ],
  },
  valuesInReasons: {
    name: 'the reason of a dead letter repeats the row',
    pieces: [
      {
        file: 'connectors/warehouse/classify.ts',
        is: '        reason: describe(server),\n',
        becomes: "        reason: describe(server) + Reflect.get(error as object, 'detail'),\n",
      },
    ],
  },
} as const satisfies Readonly<Record<string, Flaw>>

/** @throws Error when there is none of this name */
export function flawNamed(name: string): Flaw {
  const flaw = Object.values<Flaw>(FLAWS).find((one) => one.name === name)
  if (flaw === undefined) throw new Error(`there is no flaw called "${name}"`)
  return flaw
}
