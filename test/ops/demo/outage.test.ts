import { expect, test } from 'vitest'
import { listenForKeys } from '../../../ops/demo/keys.ts'
import { parseDemoOptions } from '../../../ops/demo/options.ts'
import { OutageSwitch } from '../../../ops/demo/outage.ts'

function recordingSwitch() {
  const told: string[] = []
  const system = { fail: async () => void told.push('fail'), heal: async () => void told.push('heal') }
  return { told, outage: new OutageSwitch(system, (failing) => told.push(`failing ${failing}`)) }
}

test('a key fails the system, and the next one heals it', async () => {
  const { told, outage } = recordingSwitch()
  await Promise.all([outage.toggle(), outage.toggle()])
  await outage.toggle()
  expect(told).toEqual(['fail', 'failing true', 'heal', 'failing false'])
})

test('a planned outage fails and heals once, and leaves alone what somebody did before', async () => {
  const { told, outage } = recordingSwitch()
  const never = new AbortController().signal
  await outage.schedule({ afterMs: 0, forMs: 0 }, never)
  await outage.toggle()
  await outage.schedule({ afterMs: 0, forMs: 0 }, never)
  expect(told.filter((word) => !word.startsWith('failing'))).toEqual(['fail', 'heal', 'fail', 'heal'])
  await outage.schedule({ afterMs: 3_600_000, forMs: 0 }, AbortSignal.abort())
  expect(outage.failing).toBe(false)
})

test('single keys are read, Ctrl-C among them, and the terminal is given back', () => {
  let listener: (keys: Buffer) => void = () => {}
  const raw: boolean[] = []
  const keyboard = {
    isTTY: true,
    setRawMode: (mode: boolean) => raw.push(mode),
    resume: () => {},
    pause: () => {},
    on: (_: 'data', listen: (keys: Buffer) => void) => {
      listener = listen
    },
    off: () => {
      listener = () => {}
    },
  }
  const keys: string[] = []
  const leave = listenForKeys(keyboard, { onKey: (key) => keys.push(key), onInterrupt: () => keys.push('interrupt') })
  listener(Buffer.from('fx\x03'))
  leave?.()
  leave?.()
  listener(Buffer.from('f'))
  expect(keys).toEqual(['f', 'x', 'interrupt'])
  expect(raw).toEqual([true, false])
  expect(listenForKeys({ ...keyboard, isTTY: false }, { onKey: () => {}, onInterrupt: () => {} })).toBeNull()
})

test('options are checked, and what is not known is told with the usage', () => {
  expect(parseDemoOptions(['--fail-after', '10', '--customers', '300'])).toEqual({
    json: false,
    help: false,
    failAfterMs: 10_000,
    failForMs: 30_000,
    customers: 300,
  })
  expect(parseDemoOptions(['--json']).json).toBe(true)
  for (const args of [['--fail-after', 'soon'], ['--fail-after'], ['--customers', '1'], ['--what']])
    expect(() => parseDemoOptions(args)).toThrow('Usage: npm start')
})
