#!/bin/sh
# Once, on an empty database: the two roles of config/embedded.py with passwords, and the EHR's own database.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres \
  -v owner="$OWNER_DB_PASSWORD" -v app="$APP_DB_PASSWORD" -v ehr="$EHR_DB_PASSWORD" <<'SQL'
CREATE ROLE chartkey_owner LOGIN CREATEROLE PASSWORD :'owner';
CREATE ROLE chartkey_app LOGIN PASSWORD :'app';
ALTER ROLE chartkey_owner SET log_error_verbosity = terse;
ALTER ROLE chartkey_app SET log_error_verbosity = terse;
CREATE ROLE ehr LOGIN PASSWORD :'ehr';
CREATE DATABASE chartkey OWNER chartkey_owner;
CREATE DATABASE ehr OWNER ehr;
REVOKE CONNECT ON DATABASE chartkey, ehr FROM PUBLIC;
GRANT CONNECT ON DATABASE chartkey TO chartkey_owner, chartkey_app;
GRANT CONNECT ON DATABASE ehr TO ehr;
\connect chartkey
GRANT USAGE ON SCHEMA public TO chartkey_app;
ALTER DEFAULT PRIVILEGES FOR ROLE chartkey_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO chartkey_app;
ALTER DEFAULT PRIVILEGES FOR ROLE chartkey_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO chartkey_app;
SQL
