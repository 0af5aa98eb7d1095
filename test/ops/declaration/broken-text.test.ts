// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { describe, expect, it } from 'vitest'
import { type Case, changed, ENVIRONMENT, findings, TYPES } from './pipelines.ts'

const REFERENCES: readonly Case[] = [
  {
    title: 'an undefined variable is a finding at its place',
    changes: [['${ERP_URL}', '${EPR_URL}']],
    found: [
      '10:10: sources.erp.url: the variable EPR_URL is not set; set it, set EPR_URL_FILE, or write `${EPR_URL:-default}`',
    ],
  },
  {
    title: 'the second reference of a text has a place of its own',
    changes: [['${ERP_URL}', '"postgres://${ERP_URL}/${DATABASE}"']],
    found: [
      '10:33: sources.erp.url: the variable DATABASE is not set; set it, set DATABASE_FILE, or write `${DATABASE:-default}`',
    ],
  },
  {
    title: 'a secret file that is not there is a finding',
    changes: [['${ERP_URL}', '${SECRET}']],
    env: { ...ENVIRONMENT, SECRET_FILE: '/run/secrets/nothing' },
    found: ['10:10: sources.erp.url: the file that SECRET_FILE names cannot be read (ENOENT)'],
  },
  {
    title: 'a reference that is not one is a finding',
    changes: [['${ERP_URL}', '"x${1}"']],
    found: [
      '10:12: sources.erp.url: holds a reference that cannot be read; write `${NAME}`, `${NAME:-default}`, or `$$` for a plain $',
    ],
  },
  {
    title: 'a value from the environment is named by its reference',
    changes: [],
    env: { ...ENVIRONMENT, FINGERPRINT_KEY: 'short', ERP_URL: 'mysql://root:s3cret@erp' },
    found: [
      '6:27: ledger.fingerprintKey: `${FINGERPRINT_KEY}` must be text of at least 32 characters',
      '10:10: sources.erp.url: `${ERP_URL}` must be an address such as `postgres://user:password@host:5432/database`',
    ],
  },
  {
    title: 'a name from the environment is not shown where it is unknown',
    changes: [['source: erp', 'source: ${ERP_URL}']],
    found: ['13:13: entities.customer.source: source `${ERP_URL}` is not declared'],
  },
  {
    title: 'a type from the environment is not shown where it is broken',
    changes: [['id: int64', 'id: ${ERP_URL}']],
    found: [`19:11: entities.customer.fields.id: \`\${ERP_URL}\` must be a type: ${TYPES}`],
  },
  {
    title: 'a text from the environment that is no number is not one',
    changes: [['brokers: kafka:9092', 'brokers: kafka:9092\n  replication: ${FINGERPRINT_KEY}']],
    found: ['4:16: kafka.replication: `${FINGERPRINT_KEY}` must be a whole number from 1 to 15'],
  },
]

const SYNTAX: readonly Case[] = [
  {
    title: 'a bracket that is not closed',
    changes: [['line: int32 }', 'line: int32']],
    found: ['29:1: not valid YAML: the indentation does not fit the lines before, or a bracket is not closed'],
  },
  {
    title: 'a quote that is not closed is shown where it opens',
    changes: [['owner: sales', 'owner: "sales']],
    found: ['16:12: not valid YAML: this quote is not closed'],
  },
  {
    title: 'a key that stands twice',
    changes: [['    owner: sales', '    owner: sales\n    owner: orders']],
    found: ['17:5: entities.customer.owner: `owner` stands here twice; the first is on line 16; keep one'],
  },
  {
    title: 'a second document',
    changes: [['sources:', '---\nsources:']],
    found: ['7:1: not valid YAML: a second document begins here; a file holds one declaration'],
  },
  {
    title: 'a merge key',
    changes: [
      ['    owner: orders', '    <<: *x\n    owner: orders'],
      ['    owner: sales', '    owner: &x sales'],
    ],
    found: [
      '26:5: entities.order-line: merge keys (`<<`) are not supported; repeat the lines, or use an alias for one value',
    ],
  },
  {
    title: 'an alias without an anchor',
    changes: [['owner: orders', 'owner: *who']],
    found: [
      '26:12: entities.order-line.owner: the alias has no anchor before it; put a text that begins with * in quotes',
    ],
  },
  {
    title: 'an alias inside its own anchor',
    changes: [['[order_id, line]', '&k [order_id, *k]']],
    found: ['25:24: entities.order-line.key[1]: an alias stands inside its own anchor'],
  },
  {
    title: 'a key that would change the prototype',
    changes: [['extra: json', '__proto__: json']],
    found: ['21:7: entities.customer.fields: a key here is not a name; write a plain name before the colon'],
  },
  {
    title: 'a list as a key',
    changes: [['extra: json', '? [a]\n      : json']],
    found: ['21:9: entities.customer.fields: a key here is not a name; write a plain name before the colon'],
  },
  {
    title: 'a tag',
    changes: [['owner: sales', 'owner: !who sales']],
    found: ['16:12: not valid YAML: tags (`!…`) are not supported; remove it'],
  },
  {
    title: 'an older YAML',
    changes: [['name: acme', '%YAML 1.1\n---\nname: acme']],
    found: ['1:1: the file asks for another version of YAML than 1.2'],
  },
]

for (const [subject, cases] of Object.entries({
  'references to the environment': REFERENCES,
  'the YAML itself': SYNTAX,
}))
  describe(subject, () => {
    it.each(cases)('$title', ({ changes, found, env }) => {
      expect(findings(changed(...changes), env)).toEqual(found.map((line) => `p.yaml:${line}`))
    })
  })
