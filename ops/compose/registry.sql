-- Run by the image of PostgreSQL when it makes its data folder: a role and a database for the schema registry alone.
\set password `sed -n 's/^apicurio.datasource.password=//p' /run/secrets/registry_database`
CREATE ROLE registry LOGIN PASSWORD :'password';
CREATE DATABASE registry OWNER registry;
