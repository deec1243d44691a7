-- Sessions: who one is, for how long, and what cannot make one somebody.
\set VERBOSITY terse
SELECT ehr_test.token('clinician', 'dr-1', '79001', 'TREAT') AS token \gset
\c - regress_ehr_query

-- nobody
SELECT ehr.session();
SELECT ehr.may_read(1, 1::int2, 0, '79001'), ehr.may_read(NULL, NULL, NULL, NULL), ehr.readable();

-- a login lasts for the transaction; its handle can be attached again
BEGIN;
SELECT ehr.login(:'token') AS handle \gset
SELECT ehr.session() - 'sid' - 'expires' AS session;
COMMIT;
SELECT ehr.session();
BEGIN;
SELECT ehr.attach(:'handle');
SELECT ehr.session() ->> 'sub' AS sub;
ROLLBACK;
SELECT ehr.session();
-- outside of a transaction block it ends with its statement
SELECT ehr.attach(:'handle');
SELECT ehr.session();
SELECT length(:'handle') AS handle_length;

-- a token is good for one login, whatever becomes of the transaction
SELECT ehr.login(:'token');
SELECT ehr_test.token('clinician', 'dr-1', '79001', 'TREAT') AS token \gset
BEGIN;
SELECT ehr.login(:'token') AS handle2 \gset
ROLLBACK;
SELECT ehr.login(:'token');
BEGIN;
SELECT ehr.attach(:'handle2');
SELECT ehr.session() ->> 'sub' AS sub;
COMMIT;

-- savepoints: attach, and attach as another, are undone
SELECT ehr_test.token('citizen', 'c-1') AS token \gset
BEGIN;
SAVEPOINT a;
SELECT ehr.attach(:'handle');
SELECT ehr.session() ->> 'sub' AS sub;
SAVEPOINT b;
SELECT ehr.login(:'token') AS handle3 \gset
SELECT ehr.session() ->> 'sub' AS sub;
ROLLBACK TO b;
SELECT ehr.session() ->> 'sub' AS sub;
SELECT 1 / 0;
ROLLBACK TO a;
SELECT ehr.session() ->> 'sub' AS sub;
RELEASE a;
COMMIT;
BEGIN;
SAVEPOINT a;
SELECT ehr.attach(:'handle');
RELEASE a;
SELECT ehr.session() ->> 'sub' AS sub;
SELECT 1 / 0;
COMMIT;
SELECT ehr.session() ->> 'sub' AS sub;

-- session scope: beyond the transaction, but undone with a rolled-back one; DISCARD ALL and RESET ALL end it
BEGIN;
SELECT ehr.attach(:'handle', 'session');
ROLLBACK;
SELECT ehr.session() ->> 'sub' AS sub;
SELECT ehr.attach(:'handle', 'session');
SELECT ehr.session() ->> 'sub' AS sub;
BEGIN;
SELECT ehr.attach(:'handle3');
SELECT ehr.session() ->> 'sub' AS sub;
COMMIT;
SELECT ehr.session() ->> 'sub' AS sub;
DISCARD ALL;
SELECT ehr.session() ->> 'sub' AS sub;
SELECT ehr.attach(:'handle', 'session');
RESET ALL;
SELECT ehr.session() ->> 'sub' AS sub;
SELECT ehr.attach(:'handle', 'session');
SELECT ehr.detach();
SELECT ehr.session() ->> 'sub' AS sub;
SELECT ehr.attach(:'handle', 'day');

-- nothing that one can set makes one somebody (attack A01)
BEGIN;
SELECT ehr.attach(:'handle');
SET ehr.session = 'x';
ROLLBACK;
SET LOCAL ehr.session = '';
RESET ehr.session;
SELECT set_config('ehr.session', 'x', false);
DO $$ BEGIN EXECUTE 'SHOW ehr.session'; EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'not shown'; END $$;
DO $$ BEGIN PERFORM current_setting('ehr.session', true); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'not shown'; END $$;
SELECT count(*) FROM pg_settings WHERE name = 'ehr.session';
SET ehr.sub = 'dr-1';
SET ehr.token_issuer = 'mine';
ALTER ROLE regress_ehr_query SET ehr.session = 'x';
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET ehr.session = 'x' AS 'SELECT 1';
UPDATE pg_settings SET setting = 'x' WHERE name = 'ehr.session';
SELECT ehr.session();
\c - postgres

-- not even a superuser, nor with a handle
SET ehr.session = 'x';
SELECT set_config('ehr.session', :'handle', false);
ALTER ROLE regress_ehr_query SET ehr.session = 'x';
ALTER SYSTEM SET ehr.session = 'x';
GRANT SET ON PARAMETER ehr.session TO regress_ehr_query;
\c - regress_ehr_query
SELECT set_config('ehr.session', :'handle', false);
\c - postgres
REVOKE SET ON PARAMETER ehr.session FROM regress_ehr_query;
-- a handle belongs to the login role that made it
SELECT ehr.attach(:'handle');
SELECT ehr.attach(v) FROM (VALUES (''), ('x'), (repeat('0', 64)), (upper(:'handle')), (:'handle' || '0'), (left(:'handle', -1))) AS bad (v) LIMIT 1;
\c - regress_ehr_query
SET test.handle = :'handle';
DO $$
DECLARE
	refused int := 0;
	h text := current_setting('test.handle');
BEGIN
	FOR i IN 1 .. length(h) LOOP
		BEGIN
			PERFORM ehr.attach(overlay(h PLACING CASE substr(h, i, 1) WHEN '0' THEN '1' ELSE '0' END FROM i FOR 1));
		EXCEPTION WHEN invalid_authorization_specification THEN refused := refused + 1;
		END;
	END LOOP;
	RAISE NOTICE '% of % changed handles refused', refused, length(h);
END $$;

-- logout ends it everywhere
BEGIN;
SELECT ehr.attach(:'handle');
SELECT ehr.logout();
SELECT ehr.session();
COMMIT;
SELECT ehr.attach(:'handle');
BEGIN;
SELECT ehr.attach(:'handle3');
SELECT ehr.end_sessions('c-1');
ROLLBACK;
\c - postgres
SELECT ehr.end_sessions('c-1');
SELECT ehr.end_sessions('c-1');
\c - regress_ehr_query
SELECT ehr.attach(:'handle3');

-- what would outlive the session
BEGIN;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
PREPARE TRANSACTION 'consent_session';
\c - postgres

-- tokens that are refused, all with the same words
CREATE TEMP TABLE bad_token (n int, what text, token text);
INSERT INTO bad_token
SELECT row_number() OVER (), what, ehr_test.token('clinician', 'dr-1', '79001', 'TREAT', claims::jsonb, header::jsonb, secret)
FROM (VALUES
	('other issuer', '{"iss": "https://id.example.com"}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('other audience', '{"aud": "his"}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('no audience', '{"aud": null}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('expired', '{"exp": 1700000000}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('no expiry', '{"exp": null}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('for ever', '{"exp": 9000000000}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('not yet', '{"nbf": 9000000000}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('issued later', '{"iat": 9000000000}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('no jti', '{"jti": null}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('no subject', '{"sub": null}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('line break', '{"sub": "a\nb"}', '{"alg": "HS256", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('unknown kid', '{}', '{"alg": "HS256", "kid": "other"}', 'the shared secret of the tests, 32+'),
	('no kid', '{}', '{"alg": "HS256"}', 'the shared secret of the tests, 32+'),
	('alg none', '{}', '{"alg": "none", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('alg EdDSA', '{}', '{"alg": "EdDSA", "kid": "test"}', 'the shared secret of the tests, 32+'),
	('crit', '{}', '{"alg": "HS256", "kid": "test", "crit": ["exp"]}', 'the shared secret of the tests, 32+'),
	('other secret', '{}', '{"alg": "HS256", "kid": "test"}', 'another secret of the tests, 32 bytes')) AS v (what, claims, header, secret);
INSERT INTO bad_token
SELECT 100 + row_number() OVER (), what, token
FROM (VALUES ('empty', ''), ('no token', 'x'), ('dots', '..'), ('long', repeat('A', 9000)), ('unsigned', regexp_replace(ehr_test.token('clinician', 'dr-1'), '[^.]*$', ''))) AS v (what, token);
CREATE FUNCTION pg_temp.answer(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM ehr.login(token);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || detail;
END $$;
SELECT what, pg_temp.answer(token) FROM bad_token ORDER BY n;
SELECT pg_temp.answer(ehr_test.token('clinician', 'dr-1'));

-- keys: only an administrator adds them, and only such as verify
\c - regress_ehr_query
SELECT ehr.add_session_key('mine', '{"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}');
SELECT kid FROM ehr_store.session_key;
\c - postgres
\set VERBOSITY default
SET ROLE ehr_admin;
SELECT ehr.add_session_key('k', '{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}');
SELECT ehr.add_session_key('k', '{"kty": "OKP", "crv": "Ed25519", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}');
SELECT ehr.add_session_key('k', '{"kty": "RSA", "n": "AQAB", "e": "AQAB"}');
SELECT ehr.add_session_key('k', '{"kty": "oct", "k": "AAEC"}');
SELECT ehr.add_session_key(NULL, NULL);
SELECT ehr.add_session_key('test', '{"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}');
-- a key's days: rotation with grace
SELECT ehr.add_session_key('past', jsonb_build_object('kty', 'oct', 'k', ehr_test.base64url('the shared secret of the tests, 32+')), '[2020-01-01, 2021-01-01)');
SELECT ehr.add_session_key('grace', jsonb_build_object('kty', 'oct', 'k', ehr_test.base64url('the shared secret of the tests, 32+')));
RESET ROLE;
SELECT pg_temp.answer(ehr_test.token('clinician', 'dr-1', header => '{"alg": "HS256", "kid": "past"}')),
	pg_temp.answer(ehr_test.token('clinician', 'dr-1', header => '{"alg": "HS256", "kid": "grace"}'));
SELECT ehr.end_session_key('grace', now() + interval '1 hour');
SELECT pg_temp.answer(ehr_test.token('clinician', 'dr-1', header => '{"alg": "HS256", "kid": "grace"}'));
SELECT ehr.end_session_key('grace');
SELECT pg_temp.answer(ehr_test.token('clinician', 'dr-1', header => '{"alg": "HS256", "kid": "grace"}'));

-- expiry is looked at in every statement, in an open transaction too (attack A09)
BEGIN;
SELECT ehr.login(ehr_test.token('clinician', 'dr-1', claims => jsonb_build_object('exp', floor(extract(epoch FROM clock_timestamp()))::int + 2))) IS NOT NULL AS login;
SELECT ehr.session() ->> 'sub' AS sub;
SELECT pg_sleep(2.1);
SELECT ehr.session() ->> 'sub' AS sub;
ROLLBACK;
