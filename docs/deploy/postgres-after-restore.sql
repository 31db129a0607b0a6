-- Compares the restored database with the old one. Run it there with every server stopped, as its owner, in the folder of the two files that
-- postgres-before-restore.sql wrote:
--
--   psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$DATABASE_URL" --file docs/deploy/postgres-after-restore.sql
--
-- It deletes every session and one-time link, and writes two files:
--   revoke.txt   the keys that are valid in this database and must be revoked: one identifier per line
--   redo.csv     every other change since the backup, to be reviewed and repeated by hand

SET statement_timeout = 0;
BEGIN;

CREATE TEMPORARY TABLE old_keys (id uuid PRIMARY KEY, secret_digest text NOT NULL, revoked_at timestamptz) ON COMMIT DROP;
\copy old_keys FROM 'old_keys.csv' (FORMAT csv)
CREATE TEMPORARY TABLE old_events (id uuid PRIMARY KEY, tenant_id uuid, at timestamptz, action text, actor_name text, target_kind text, target_id uuid, target_name text, changes text) ON COMMIT DROP;
\copy old_events FROM 'old_events.csv' (FORMAT csv)

-- Events that this database does not have were written after the backup, independent of clocks.
CREATE TEMPORARY TABLE forgotten ON COMMIT DROP AS
    SELECT * FROM old_events WHERE NOT EXISTS (SELECT FROM audit_events WHERE audit_events.id = old_events.id);

-- By the state of the keys, which includes manual changes, and by the audit log.
CREATE TEMPORARY TABLE revived ON COMMIT DROP AS
    SELECT here.id FROM api_keys AS here
    LEFT JOIN old_keys AS old ON old.id = here.id
    WHERE here.revoked_at IS NULL
      AND (old.id IS NULL
           OR old.revoked_at IS NOT NULL
           OR old.secret_digest <> encode(here.secret_digest, 'hex')
           OR here.id IN (SELECT target_id FROM forgotten WHERE action IN ('api_key.revoked', 'api_key.rotated')));
\copy (SELECT id FROM revived ORDER BY id) TO 'revoke.txt' (FORMAT csv)

\copy (SELECT forgotten.at, tenants.slug AS tenant, forgotten.action, forgotten.target_kind, forgotten.target_id, forgotten.target_name, forgotten.changes, forgotten.actor_name FROM forgotten LEFT JOIN tenants ON tenants.id = forgotten.tenant_id WHERE forgotten.action NOT IN ('api_key.revoked', 'api_key.rotated') ORDER BY forgotten.id) TO 'redo.csv' (FORMAT csv, HEADER)

-- Sessions and links that have ended since the backup must not become valid again.
DELETE FROM sessions;
DELETE FROM one_time_links;
DELETE FROM known_devices;
DELETE FROM sign_in_buckets;
-- An earlier schema does not have this table.
DO $$ BEGIN IF to_regclass('sso_states') IS NOT NULL THEN DELETE FROM sso_states; END IF; END $$;
-- These rows belong to replicas and transactions of the old cluster.
DELETE FROM replicas;
DELETE FROM key_state_changes;
COMMIT;
