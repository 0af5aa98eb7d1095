import net from 'node:net'

/** A way to one Kafka broker that can be broken. A client that is given its address is kept on it: what the broker says of its own address is rewritten. */
export interface KafkaProxy {
  readonly address: string
  /** Ends every connection; new ones are taken. */
  cut(): void
  /** Passes nothing on in either direction, and takes connections without a word, until {@link heal}. */
  stall(): void
  /**
   * Of the next produce requests, so many reach the broker and their answers nobody: the connection ends instead.
   * @param topic only those that write to it
   */
  loseAnswers(count: number, topic?: string): void
  /** The next produce request reaches the broker only after `afterMs`, when its sender has long been cut off. */
  delaySend(afterMs: number): void
  /** Keeps the next request for a producer id back, until it is released. */
  holdProducerId(): HeldRequest
  /** Keeps the next produce request to a topic back, until it is released; it reaches the broker also when its sender is gone. */
  holdSend(topic: string): HeldSend
  /** Passes everything on again. What was held up is lost with its connections. */
  heal(): void
  close(): Promise<void>
}

export interface HeldRequest {
  /** Resolves when the request is there. */
  readonly arrived: Promise<void>
  /** Lets it go on to the broker. */
  release(): void
}

export interface HeldSend extends HeldRequest {
  /** Resolves when the broker has answered it, with whatever. */
  readonly answered: Promise<void>
}

/** Kafka's numbers of requests. */
const PRODUCE = 0
const METADATA = 3
const FIND_COORDINATOR = 10
const INIT_PRODUCER_ID = 22

interface Pair {
  readonly client: net.Socket
  readonly broker: net.Socket
}

/** @param broker `host:port`, as the broker advertises it */
export async function openKafkaProxy(broker: string): Promise<KafkaProxy> {
  const [host, port] = broker.split(':') as [string, string]
  const pairs = new Set<Pair>()
  const timers = new Set<NodeJS.Timeout>()
  let stalled = false
  let answersToLose = 0
  let answersOf = ''
  let delayMs = 0
  let hold: ((pass: () => void) => void) | undefined
  let sendHold: { readonly topic: string; take(pass: () => void): void; answered(): void } | undefined

  const server = net.createServer((client) => {
    const pair = { client, broker: net.connect(Number(port), host) }
    pairs.add(pair)
    const asked = new Map<number, { readonly api: number; readonly isLost: boolean; readonly answered?: () => void }>()
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      pair.broker.destroy()
    }
    for (const socket of [client, pair.broker]) socket.setNoDelay(true).on('error', () => {})
    pair.broker.on('close', end)
    let isLate = false
    let isHeld = false
    client.on('close', () => {
      if (!isLate && !isHeld) end()
    })
    onFrames(client, (frame) => {
      if (stalled || isLate) return
      const api = frame.readInt16BE(4)
      if (api === PRODUCE && delayMs > 0) {
        isLate = true
        const timer = setTimeout(() => {
          timers.delete(timer)
          pair.broker.write(frame, () => setTimeout(end, LATE_LINGER_MS))
        }, delayMs)
        timers.add(timer)
        delayMs = 0
        client.destroy()
        return
      }
      const isLost = api === PRODUCE && answersToLose > 0 && frame.includes(answersOf)
      if (isLost) answersToLose--
      const pass = () => pair.broker.write(frame)
      if (api === PRODUCE && sendHold !== undefined && frame.includes(sendHold.topic)) {
        isHeld = true
        const held = sendHold
        sendHold = undefined
        const answered = () => {
          isHeld = false
          held.answered()
          if (client.destroyed) end()
        }
        asked.set(frame.readInt32BE(8), { api, isLost, answered })
        held.take(pass)
        return
      }
      asked.set(frame.readInt32BE(8), { api, isLost })
      if (api === INIT_PRODUCER_ID && hold !== undefined) {
        hold(pass)
        hold = undefined
      } else pass()
    })
    onFrames(pair.broker, (frame) => {
      if (stalled || isLate) return
      const correlation = frame.readInt32BE(4)
      const question = asked.get(correlation)
      asked.delete(correlation)
      if (question?.answered !== undefined) question.answered()
      if (question?.isLost) return end()
      if (question?.api === METADATA || question?.api === FIND_COORDINATOR) rewrite(frame)
      client.write(frame)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as net.AddressInfo).port

  /** Puts our port in the place of the broker's, behind its host: a text with its length before it, and the port in four bytes. */
  function rewrite(frame: Buffer): void {
    const pattern = Buffer.concat([Buffer.from([0, host.length]), Buffer.from(host), int32(Number(port))])
    for (let at = frame.indexOf(pattern); at >= 0; at = frame.indexOf(pattern, at + 1))
      frame.writeInt32BE(own, at + pattern.length - 4)
  }

  const cut = () => {
    for (const { client } of pairs) client.destroy()
  }
  return {
    address: `127.0.0.1:${own}`,
    cut,
    stall() {
      stalled = true
    },
    loseAnswers(count, topic = '') {
      answersToLose = count
      answersOf = topic
    },
    delaySend(afterMs) {
      delayMs = afterMs
    },
    holdProducerId() {
      const arrived = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      hold = (pass) => {
        arrived.resolve()
        void released.promise.then(pass)
      }
      return { arrived: arrived.promise, release: () => released.resolve() }
    },
    holdSend(topic) {
      const [arrived, released, answered] = [signal(), signal(), signal()]
      const take = (pass: () => void) => {
        arrived.resolve()
        void released.promise.then(pass)
      }
      sendHold = { topic, take, answered: answered.resolve }
      return { arrived: arrived.promise, release: () => released.resolve(), answered: answered.promise }
    },
    heal() {
      answersToLose = 0
      delayMs = 0
      if (!stalled) return
      stalled = false
      cut()
    },
    async close() {
      for (const timer of timers) clearTimeout(timer)
      for (const { client, broker: upstream } of pairs) {
        client.destroy()
        upstream.destroy()
      }
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** How long the broker may take to append what came late. */
const LATE_LINGER_MS = 1_000

const signal = () => Promise.withResolvers<void>()

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Cuts a stream into messages: a length in four bytes, and what it counts. */
function onFrames(socket: net.Socket, onFrame: (frame: Buffer) => void): void {
  let parts: Buffer[] = []
  let held = 0
  socket.on('data', (chunk: Buffer) => {
    parts.push(chunk)
    held += chunk.length
    if (parts[0]!.length >= 4 && held < 4 + parts[0]!.readInt32BE(0)) return
    let bytes = parts.length === 1 ? chunk : Buffer.concat(parts)
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const length = 4 + bytes.readInt32BE(0)
      onFrame(bytes.subarray(0, length))
      bytes = bytes.subarray(length)
    }
    parts = bytes.length > 0 ? [bytes] : []
    held = bytes.length
  })
}
