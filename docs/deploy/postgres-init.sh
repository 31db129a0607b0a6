#!/bin/sh
# Creates Latchkey's role and database. PostgreSQL's container runs it once, when its data folder is empty.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv password DATABASE_PASSWORD
CREATE ROLE latchkey LOGIN PASSWORD :'password';
CREATE DATABASE latchkey OWNER latchkey TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE latchkey FROM PUBLIC;
SQL
