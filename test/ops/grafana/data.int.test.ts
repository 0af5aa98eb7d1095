import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queryPrometheus, type Sample } from '../../../ops/report/prometheus.ts'
import { findOnPath } from '../../../ops/stack/programs.ts'
import { closedPort } from '../../support/cli.ts'
import { eventually } from '../../support/flow.ts'
import { QUERIES, replaceVariables } from './model.ts'
import { createTold, LAG_SECONDS, OPEN_LETTERS, RECORDS_BEHIND, tellMore } from './told.ts'

const prometheus = findOnPath('prometheus', process.env)
const VARIABLES = { __rate_interval: '10s', __range: '1m', job: '.+', instance: '.+', subscriber: 'crm', source: 'erp' }
/** Among the columns with figures. */
const RECORDS_COLUMN = 2
const DEAD_COLUMN = 6

/** A Prometheus that asks one process by two names, as if two exporters ran. */
describe.skipIf(prometheus === undefined)('a Prometheus that asks our processes (needs prometheus on the PATH)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-dashboards-'))
  const metrics = createTold()
  let server: http.Server
  let child: ChildProcess
  let url: string

  beforeAll(async () => {
    server = http.createServer(async (_request, response) => {
      tellMore(metrics)
      response.setHeader('content-type', metrics.registry.contentType).end(await metrics.registry.metrics())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const targets = [`127.0.0.1:${port}`, `localhost:${port}`]
    const config = { scrape_configs: [{ job_name: 'tributary', scrape_interval: '1s', static_configs: [{ targets }] }] }
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config))
    const address = `127.0.0.1:${await closedPort()}`
    url = `http://${address}`
    child = spawn(
      prometheus!,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    )
    await eventually(async () => {
      const answering = await queryPrometheus(url, 'count_over_time(up[1m]) > 4')
      return answering.length === targets.length
    }, 'Prometheus has asked both a few times')
  })

  afterAll(async () => {
    if (child !== undefined && child.exitCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    server?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (expr: string) => queryPrometheus(url, replaceVariables(expr, VARIABLES))
  const asked = async (name: string, nth = 0): Promise<readonly Sample[]> => {
    const queries = QUERIES.filter((query) => query.name === name)
    return ask(queries[nth]!.expr)
  }
  const valueAt = (samples: readonly Sample[], labels: Readonly<Record<string, string>>) =>
    samples.find((one) => Object.entries(labels).every(([name, value]) => one.labels[name] === value))?.value

  test('has an answer to every query of every panel', async () => {
    const silent: string[] = []
    for (const { name, expr } of QUERIES) {
      const samples = await ask(expr)
      if (!samples.some(({ value }) => Number.isFinite(value))) silent.push(`${name}: ${expr}`)
    }
    expect(silent).toEqual([])
  })

  test('tells who is late beside the target of each entity', async () => {
    const samples = await asked('tributary-fleet: Fresh or late')
    expect(samples.map(({ labels }) => labels)).toHaveLength(2)
    expect(valueAt(samples, { subscriber: 'crm', class: 'critical' })).toBe(0)
    expect(valueAt(samples, { subscriber: 'crm', class: 'standard' })).toBe(1)
    const lag = await asked('tributary-subscriber: Lag')
    expect(valueAt(lag, {})).toBeGreaterThanOrEqual(LAG_SECONDS)
  })

  test('counts once what two exporters tell', async () => {
    const behind = await asked('tributary-fleet: Subscribers', RECORDS_COLUMN)
    expect(valueAt(behind, { subscriber: 'crm', class: 'critical' })).toBe(RECORDS_BEHIND)
    expect(valueAt(await asked('tributary-fleet: Subscribers', DEAD_COLUMN), { class: 'critical' })).toBe(OPEN_LETTERS)
    expect((await asked('tributary-dead-letters: Retrying'))[0]!.value).toBe(OPEN_LETTERS)
  })

  test('names the owner of what was refused', async () => {
    const samples = await asked('tributary-dead-letters: By entity')
    expect(samples.map(({ labels }) => labels)).toEqual([
      { subscriber: 'crm', entity: 'order', class: 'critical', owner: 'order-desk' },
    ])
  })

  test('tells the worst state of a breaker, and of a log', async () => {
    const breakers = await asked('tributary-subscriber: Breaker')
    expect([valueAt(breakers, { class: 'critical' }), valueAt(breakers, { class: 'standard' })]).toEqual([2, 0])
    expect((await asked('tributary-source: State of the log'))[0]!.value).toBe(1)
  })

  test('finds the share of refusals and failures among all answers', async () => {
    // Of each round: two patches, nine other answers, of which four are refusals or failures.
    const [all] = await asked('tributary-subscriber: Refusals and failures')
    expect(all!.value).toBeCloseTo(4 / 11)
  })
})
