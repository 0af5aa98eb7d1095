import { z } from 'zod'
import { SASL_MECHANISMS } from '../../../connectors/kafka/security.ts'
import { mapping, matching, oneOf, text, whole } from '../forms.ts'
import { BROKER, splitBrokers } from '../notation.ts'

/** The servers that all parts of a pipeline share: how each is reached, and how both sides are known to each other. */

const REPLICATION_MAX = 15
const BROKERS = '`host:port`, several separated by commas, or a list of them'
const TLS = '`true`, or a mapping of `ca`, `cert`, `key` and `servername`'

const file = () => text('the path of a file such as `./ca.pem`')
const authority = () =>
  file().describe(
    "The file with the certificates of the authorities that may have signed the server's, from where this file is. Default: those that Node knows.",
  )
const certificate = () => file().describe('The file with our certificate, for a server that asks for one.')
const key = () => file().describe('The file with the private key of our certificate.')

const tls = z
  .union(
    [
      z.boolean({ error: TLS }),
      mapping(
        {
          ca: authority().optional(),
          cert: certificate().optional(),
          key: key().optional(),
          servername: matching(/^[A-Za-z0-9._-]{1,253}$/, 'a host name')
            .optional()
            .describe(
              'The name that the certificates of all brokers are for, where that is not the host of their addresses.',
            ),
        },
        TLS,
      ),
    ],
    { error: TLS },
  )
  .describe('`true` for TLS with the authorities that Node knows, or what to trust and to show instead.')

const sasl = mapping({
  mechanism: oneOf(SASL_MECHANISMS).describe('How the user is known to the brokers.'),
  username: text().describe('The user.'),
  password: text().describe('The password; from the environment.'),
})

export const kafka = mapping({
  brokers: z
    .union(
      [
        text(BROKERS).refine((value) => value === '' || isBrokerList(splitBrokers(value)), {
          error: `must be ${BROKERS}`,
        }),
        z.array(matching(BROKER, '`host:port`'), { error: BROKERS }).min(1, { error: BROKERS }),
      ],
      { error: BROKERS },
    )
    .describe('The Kafka brokers to start from: `host:port`, several separated by commas, or a list.'),
  replication: whole(1, REPLICATION_MAX).default(3).describe('How many brokers hold each topic. 1 on a local machine.'),
  tls: tls.optional(),
  sasl: sasl.optional().describe('The user that we are to the brokers. Default: none.'),
})

function isBrokerList(brokers: readonly string[]): boolean {
  return brokers.length > 0 && brokers.every((broker) => BROKER.test(broker))
}

export const registry = mapping({
  url: matching(/^https?:\/\/[^\s/]/, 'an address such as `http://host:8081`').describe(
    'The address of the schema registry.',
  ),
  username: text().optional().describe('The user, where it is not in the address.'),
  password: text().optional().describe('The password of the user; from the environment.'),
  token: text().optional().describe('A bearer token in the place of user and password; from the environment.'),
  ca: authority().optional(),
  cert: certificate().optional(),
  key: key().optional(),
})

export const redis = mapping({
  url: matching(/^rediss?:\/\/[^\s/]/, 'an address such as `redis://host:6379`').describe('The address of Redis.'),
  username: text().optional().describe('The user, where it is not in the address. Default: that of Redis.'),
  password: text().optional().describe('The password; from the environment.'),
  ca: authority().optional(),
  cert: certificate().optional(),
  key: key().optional(),
})
