import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { queryPrometheus } from '../../../ops/report/prometheus.ts'
import { closedPort } from '../../support/cli.ts'

let server: http.Server | undefined

afterEach(() => server?.close())

async function answering(status: number, body: string): Promise<string> {
  server = http.createServer((_request, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/prometheus`
}

test('an answer is its series with their labels, and infinities are numbers', async () => {
  const result = [
    { metric: { subscriber: 'crm' }, value: [1, '0.5'] },
    { metric: {}, value: [1, '+Inf'] },
  ]
  const url = await answering(200, JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }))
  expect(await queryPrometheus(url, 'up')).toEqual([
    { labels: { subscriber: 'crm' }, value: 0.5 },
    { labels: {}, value: Number.POSITIVE_INFINITY },
  ])
})

test.each([
  ['something else', 200, '<html>', /does not answer/],
  [
    'another kind of answer',
    200,
    '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}',
    /something else/,
  ],
  ['a refusal', 400, '{"status":"error"}', /it answers 400/],
  ['too much', 200, ' '.repeat(9 * 1024 * 1024), /too large/],
])('%s is told as what it is', async (_title, status, body, message) => {
  await expect(queryPrometheus(await answering(status, body), 'up')).rejects.toMatchObject({
    code: 'prometheus-unreachable',
    message: expect.stringMatching(message),
  })
})

test('where nobody listens the reason is the connection’s', async () => {
  await expect(queryPrometheus(`http://127.0.0.1:${await closedPort()}`, 'up')).rejects.toMatchObject({
    code: 'prometheus-unreachable',
    message: expect.stringContaining('ECONNREFUSED'),
  })
})
