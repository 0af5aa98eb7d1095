import { TributaryError } from '../../schemas/errors.ts'
import { type TlsFields, tlsFault } from '../../schemas/tls.ts'

/*
 * What brokers refuse for good: us, or what we ask for. All else the library reports may pass.
 */

const FIELDS: TlsFields = { ca: 'kafka.tls.ca', client: 'kafka.tls.cert and kafka.tls.key' }

/** Kafka's names of errors, as the library has them → what is missing. */
const RIGHTS: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: 'a right on a topic',
  GROUP_AUTHORIZATION_FAILED: 'a right on a consumer group',
  CLUSTER_AUTHORIZATION_FAILED: 'a right on the cluster',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'a right on a transactional id',
}

const DEPTH_MAX = 6

/**
 * Why the brokers refuse us, where that is what an error of the library says.
 * @returns TributaryError `kafka-unsuitable`; undefined for what may pass
 */
export function refusalOf(error: unknown): TributaryError | undefined {
  const chain = causesOf(error)
  const known = chain.find((one) => one instanceof TributaryError)
  if (known !== undefined) return known.code === 'kafka-unsuitable' ? known : undefined
  const broker = chain.map(brokerOf).find((one) => one !== '') ?? ''
  const fault = tlsFault(error, FIELDS)
  if (fault !== undefined) return unsuitable(broker, `${fault.reason}. ${fault.advice}.`, error)
  const text = chain.map(refusalIn).find((one) => one !== undefined)
  return text === undefined ? undefined : unsuitable(broker, text, error)
}

/** An error, and what the library wrapped in it: as its cause, or as one of several that came together. */
function causesOf(error: unknown, depth = 0): readonly Error[] {
  if (!(error instanceof Error) || depth > DEPTH_MAX) return []
  const { errors } = error as Error & { errors?: unknown }
  const first = Array.isArray(errors) ? causesOf(errors[0], depth + 1) : []
  return [error, ...first, ...causesOf(error.cause, depth + 1)]
}

/** What follows "Kafka at …" in the message. */
function refusalIn(error: Error): string | undefined {
  const { type, name, message } = error as Error & { type?: string }
  if (name === 'KafkaJSSASLAuthenticationError')
    return `refuses the user: ${message.replace(/\.$/, '')}. Check kafka.sasl: mechanism, username and password.`
  if (type === 'UNSUPPORTED_SASL_MECHANISM')
    return 'does not offer this mechanism. Set kafka.sasl.mechanism to one of its sasl.enabled.mechanisms.'
  if (type === 'ILLEGAL_SASL_STATE')
    return 'asks for no user at this port. Remove kafka.sasl, or use the port of its listener with SASL.'
  const right = type === undefined || !Object.hasOwn(RIGHTS, type) ? undefined : RIGHTS[type]
  if (right === undefined) return undefined
  return `does not give us ${right} (${message.replace(/\.$/, '')}). Grant it to the user of kafka.sasl.`
}

function brokerOf(error: Error): string {
  const { broker } = error as Error & { broker?: unknown }
  return typeof broker === 'string' ? broker : ''
}

function unsuitable(broker: string, text: string, cause: unknown): TributaryError {
  return new TributaryError('kafka-unsuitable', `Kafka${broker === '' ? '' : ` at ${broker}`} ${text}`, { cause })
}

/** Brokers that were asked in plain text and speak TLS. */
export function plainToTls(brokers: readonly string[], cause: unknown): TributaryError {
  return unsuitable(brokers.join(', '), 'speaks TLS, and kafka.tls is not declared. Declare it.', cause)
}
