#!/bin/sh
# Makes the secrets of docker-compose.yml that are not there yet: random ones for the servers, the stand-ins' own for the demo. What is
# there stays. Usage: sh ops/compose/secrets.sh [folder]
set -eu
folder=${1:-.tributary/secrets}

# Containers read the files as users of their own, so the files are open and the folder is closed.
mkdir -p "$folder"
chmod 700 "$folder"

random() { head -c 32 /dev/urandom | base64 | tr -d '+/=\n'; }
make() {
  [ -e "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"
  chmod 644 "$folder/$1"
}

make postgres_password "$(random)"
password=$(cat "$folder/postgres_password")
make registry_database "apicurio.datasource.password=$(random)"
make fingerprint_key "$(random)"
make erp_url "postgres://postgres:$password@postgres:5432/erp"
make warehouse_url "postgres://postgres:$password@postgres:5432/warehouse"
make crm_client_secret sandbox-secret
make store_token shpat_sandbox
make grafana_password "$(random)"
# Nobody listens there: alerts show in Alertmanager and Grafana only, until this is the address of something that takes its webhooks.
make alert_webhook_url http://127.0.0.1:9/
