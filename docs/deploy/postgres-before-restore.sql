-- Exports the state of the old database, which alone has the changes since the backup. Run it there as its owner, before removing it:
--
--   psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$OLD" --file docs/deploy/postgres-before-restore.sql
--
-- It writes two files into the current folder. They contain digests of secrets and the audit log, but no secret.

SET statement_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\copy (SELECT id, encode(secret_digest, 'hex'), revoked_at FROM api_keys) TO 'old_keys.csv' (FORMAT csv)
\copy (SELECT id, tenant_id, at, action, actor_name, target_kind, target_id, target_name, changes FROM audit_events WHERE action NOT LIKE 'session.%') TO 'old_events.csv' (FORMAT csv)
COMMIT;
