import { connectKafka, type Kafka, type Log } from '../../connectors/kafka/client.ts'
import { readTls, type TlsFiles } from '../../connectors/tls-files.ts'
import { createRegistry, type Registry } from '../../schemas/registry.ts'
import type { TlsMaterial } from '../../schemas/tls.ts'
import { type Declaration, loadDeclaration } from '../declaration/declaration.ts'
import { createLog } from './log.ts'

/** What every command that touches the cluster works with. */
export interface Environment {
  readonly declaration: Declaration
  readonly kafka: Kafka
  readonly registry: Registry
  readonly log: Log
}

/** @throws TributaryError `environment-missing` for a certificate that is declared and cannot be read */
export function createEnvironment(declaration: Declaration, log: Log): Environment {
  const { name, kafka, registry } = declaration
  const { brokers, sasl } = kafka
  const security = { sasl, tls: readDeclaredTls('kafka.tls', kafka.tls) }
  return {
    declaration,
    kafka: connectKafka({ brokers, clientId: `tributary-${name}`, log, security }),
    registry: createRegistry({ ...registry, tls: readDeclaredTls('registry', registry.tls) }),
    log,
  }
}

/** @param where the files are declared, such as `kafka.tls` */
export function readDeclaredTls(where: string, files: TlsFiles | undefined): TlsMaterial | undefined {
  return files === undefined ? undefined : readTls(files, (field) => `${where}.${field}`)
}

/**
 * For a command that says itself what it does: nothing is logged.
 * @throws TributaryError `declaration-invalid`, `environment-missing`
 */
export function openEnvironment(file: string): Environment {
  return createEnvironment(loadDeclaration(file, process.env), createLog('silent'))
}
