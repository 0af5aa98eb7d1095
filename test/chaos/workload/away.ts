/** What a session hears when its server is killed, stopped, set back or starting. */
const AWAY = new Set([
  ...['CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT', 'ECONNREFUSED', 'ECONNRESET'],
  ...['EPIPE', '57P01', '57P02', '57P03', 'ANSWERS_NOTHING'],
])

/** Whether something failed because its server was not there, or went away in the middle of it. */
export function isAway(error: unknown): boolean {
  return AWAY.has((error as { code?: string } | null)?.code ?? '')
}

/** @throws an error that {@link isAway} when nothing was heard in time: the library may wait for ever for a server that went away */
export async function withinTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(Object.assign(new Error(`no answer in ${ms} ms`), { code: 'ANSWERS_NOTHING' })),
    ms,
  )
  try {
    return await Promise.race([answer, promise])
  } finally {
    clearTimeout(timer)
  }
}
