/**
 * The result of `work`, which goes on where it does not come in time.
 * @throws Error with `message` after `ms`
 */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  message = `no answer within ${Math.ceil(ms / 1000)} s`,
): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(message)), ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
