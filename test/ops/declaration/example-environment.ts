/** What the demo's declaration asks the environment for. */
export const EXAMPLE_ENVIRONMENT = {
  TRIBUTARY_KAFKA_BROKERS: '127.0.0.1:9092, 127.0.0.1:9093',
  TRIBUTARY_REGISTRY_URL: 'http://127.0.0.1:8081',
  TRIBUTARY_REDIS_URL: 'redis://127.0.0.1:6379',
  TRIBUTARY_FINGERPRINT_KEY: 'k'.repeat(32),
  ERP_URL: 'postgres://erp@127.0.0.1:5432/erp',
  WAREHOUSE_URL: 'postgres://dwh@127.0.0.1:5432/dwh',
  CRM_URL: 'http://127.0.0.1:8082',
  CRM_TOKEN_URL: 'http://127.0.0.1:8082/token',
  CRM_CLIENT_ID: 'tributary',
  CRM_CLIENT_SECRET: 'secret',
  STORE_URL: 'http://127.0.0.1:8083',
  STORE_TOKEN: 'token',
}
