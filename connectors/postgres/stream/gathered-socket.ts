import net from 'node:net'
import { type LargeTurn, MessageGatherer } from './gather.ts'

/** How much is read at a time. */
const READ_BYTES = 65_536

/**
 * A socket to a PostgreSQL server that hands large messages on whole (gather.ts). Not for TLS, where what arrives is not messages.
 * @param turn see {@link MessageGatherer}
 */
export function openGatheredSocket(
  address: net.NetConnectOpts,
  turn?: LargeTurn,
): { readonly socket: net.Socket; release(): void } {
  const guard = (work: () => void) => {
    try {
      work()
    } catch (error) {
      // A message of a size that cannot be held.
      socket.destroy(error as Error)
    }
  }
  /** Runs what may end that nothing more is taken. */
  const unblock = (work: () => void) => {
    const wasBlocked = gatherer.isBlocked
    guard(work)
    if (wasBlocked && !gatherer.isBlocked && !socket.destroyed) resume()
  }
  const gatherer = new MessageGatherer(
    (bytes) => socket.emit('data', bytes),
    turn,
    () => unblock(() => gatherer.takeHeld()),
  )
  const socket: net.Socket = net.connect({
    ...address,
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length, buffer) => {
        guard(() => gatherer.take((buffer as Buffer).subarray(0, length)))
        return !gatherer.isBlocked
      },
    },
  })
  const resume = () => net.Socket.prototype.resume.call(socket) as net.Socket
  // The package resumes it whenever it wants more; what it wants must wait for the large message that is in use.
  socket.resume = () => (gatherer.isBlocked ? socket : resume())
  socket.on('close', () => gatherer.end())
  return { socket, release: () => unblock(() => gatherer.release()) }
}
