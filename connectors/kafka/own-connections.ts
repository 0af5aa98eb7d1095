import { createRequire } from 'node:module'
import type { ISocketFactory, Kafka } from 'kafkajs'
import { connectKafka, optionsOf } from './client.ts'

const SOCKET_FACTORY = 'kafkajs/src/network/socketFactory.js'

export interface OwnConnections {
  /** Opens connections that nobody else uses. */
  readonly kafka: Kafka
  /** Ends all of them at once and lets no other be opened: whoever waits for an answer gets an error instead. */
  cut(): void
}

/**
 * A second handle on the cluster of `kafka`, for a client that may have to be ended by force: the library waits for every answer that is due
 * before it closes a connection, and opens a connection again for whoever goes on.
 * @param requestTimeoutMs how long an answer may take; a join may take as long as the rebalance
 */
export function ownConnections(kafka: Kafka, requestTimeoutMs: number): OwnConnections {
  const open = (createRequire(import.meta.url)(SOCKET_FACTORY) as () => ISocketFactory)()
  const sockets = new Set<ReturnType<ISocketFactory>>()
  let isCut = false
  const socketFactory: ISocketFactory = (to) => {
    if (isCut) throw new Error('this client has ended')
    const socket = open(to)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  return {
    kafka: connectKafka({ ...optionsOf(kafka), requestTimeoutMs, socketFactory }),
    cut() {
      isCut = true
      // With an error: of a plain end the library hears nothing.
      for (const socket of sockets) socket.destroy(new Error('this client has ended'))
    },
  }
}
