import { createRequire } from 'node:module'
import type { Authenticator, KafkaConfig, Mechanism } from 'kafkajs'
import { type TlsMaterial, tlsOptions } from '../../schemas/tls.ts'

/** How we are known to the brokers, and they to us. */
export interface KafkaSecurity {
  readonly tls?: TlsMaterial | undefined
  readonly sasl?: SaslLogin | undefined
}

export interface SaslLogin {
  readonly mechanism: SaslMechanism
  readonly username: string
  readonly password: string
}

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
type SaslMechanism = (typeof SASL_MECHANISMS)[number]

/** The library's files, by mechanism. */
const PROVIDERS: Readonly<Record<SaslMechanism, string>> = {
  plain: 'plain',
  'scram-sha-256': 'scram256',
  'scram-sha-512': 'scram512',
}

/** As the library takes it. */
export function securityOptions({ tls, sasl }: KafkaSecurity): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  return {
    ...(tls === undefined ? {} : { ssl: tlsOptions(tls) }),
    ...(sasl === undefined ? {} : { sasl: mechanismOf(sasl) }),
  }
}

type MakeProvider = (sasl: SaslLogin) => Mechanism['authenticationProvider']

/**
 * The library's own authentication, but for one thing: it takes a connection that breaks, or an answer that does not come, while it logs
 * in for a refusal, and that would stop us for good when a broker restarts at the wrong moment.
 */
function mechanismOf(sasl: SaslLogin): Mechanism {
  const file = `kafkajs/src/broker/saslAuthenticator/${PROVIDERS[sasl.mechanism]}.js`
  const provide = (createRequire(import.meta.url)(file) as MakeProvider)(sasl)
  return {
    mechanism: sasl.mechanism,
    authenticationProvider: (args): Authenticator => {
      let broken: unknown
      const authenticator = provide({
        ...args,
        saslAuthenticate: async (request) => {
          try {
            return await args.saslAuthenticate(request)
          } catch (error) {
            // A protocol error is the broker's word.
            if ((error as Error).name !== 'KafkaJSProtocolError') broken = error
            throw error
          }
        },
      })
      return {
        async authenticate() {
          try {
            await authenticator.authenticate()
          } catch (error) {
            throw broken ?? error
          }
        },
      }
    },
  }
}
