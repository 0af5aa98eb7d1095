import { connectKafka, type Kafka, type Log } from '../../connectors/kafka/client.ts'
import { createRegistry, type Registry } from '../../schemas/registry.ts'
import { type Declaration, loadDeclaration } from '../declaration/declaration.ts'
import { createLog } from './log.ts'

/** What every command that touches the cluster works with. */
export interface Environment {
  readonly declaration: Declaration
  readonly kafka: Kafka
  readonly registry: Registry
  readonly log: Log
}

export function createEnvironment(declaration: Declaration, log: Log): Environment {
  const { name, kafka, registry } = declaration
  return {
    declaration,
    kafka: connectKafka({ brokers: kafka.brokers, clientId: `tributary-${name}`, log }),
    registry: createRegistry(registry),
    log,
  }
}

/**
 * For a command that says itself what it does: nothing is logged.
 * @throws DeclarationError; TributaryError `environment-missing`
 */
export function openEnvironment(file: string): Environment {
  return createEnvironment(loadDeclaration(file, process.env), createLog('silent'))
}
