-- Runs second: what the other tests need to act as somebody. Tokens are made here in SQL, with a shared key.
\set ECHO none
SET client_min_messages = warning;
CREATE SCHEMA ehr_test;
GRANT USAGE ON SCHEMA ehr_test TO PUBLIC;

-- RFC 2104 for a key of at most 64 bytes
CREATE FUNCTION ehr_test.hmac_sha256(key bytea, message bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	inner_pad bytea := decode(repeat('36', 64), 'hex');
	outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
	FOR i IN 0 .. length(key) - 1 LOOP
		inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
		outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
	END LOOP;
	RETURN sha256(outer_pad || sha256(inner_pad || message));
END $$;

CREATE FUNCTION ehr_test.base64url(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN translate(rtrim(replace(encode(bytes, 'base64'), E'\n', ''), '='), '+/', '-_');

-- a token that ehr.login accepts; claims overrides any claim, a null removes one
CREATE FUNCTION ehr_test.token(kind text, sub text, org text DEFAULT NULL, purpose text DEFAULT NULL, claims jsonb DEFAULT '{}',
	header jsonb DEFAULT '{"alg": "HS256", "kid": "test"}', secret text DEFAULT 'the shared secret of the tests, 32+') RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	signed text := ehr_test.base64url(convert_to(header::text, 'UTF8')) || '.' || ehr_test.base64url(convert_to(jsonb_strip_nulls(
		jsonb_build_object('iss', 'https://id.example.vn', 'aud', 'ehr', 'jti', gen_random_uuid(), 'sub', sub,
			'iat', extract(epoch FROM clock_timestamp())::int, 'exp', extract(epoch FROM clock_timestamp())::int + 300,
			'ehr_kind', kind, 'ehr_org', org, 'ehr_purpose', purpose) || claims)::text, 'UTF8'));
BEGIN
	RETURN signed || '.' || ehr_test.base64url(ehr_test.hmac_sha256(convert_to(secret, 'UTF8'), convert_to(signed, 'UTF8')));
END $$;

-- acts as somebody until the end of the transaction, or of the connection with scope session
CREATE FUNCTION ehr_test.login(kind text, sub text, org text DEFAULT NULL, purpose text DEFAULT NULL, scope text DEFAULT 'transaction')
	RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM ehr.login(ehr_test.token(kind, sub, org, purpose), scope);
END $$;

SELECT ehr.add_session_key('test', jsonb_build_object('kty', 'oct', 'k', ehr_test.base64url('the shared secret of the tests, 32+')));
-- an application's login role, and one that may also write queries of its own
DROP ROLE IF EXISTS regress_ehr_app, regress_ehr_query;
CREATE ROLE regress_ehr_app LOGIN IN ROLE ehr_app;
CREATE ROLE regress_ehr_query LOGIN IN ROLE ehr_query;
-- accepted everywhere but where sessions were set up otherwise
ALTER SYSTEM SET ehr.token_issuer = 'https://id.example.vn';
ALTER SYSTEM SET ehr.token_audience = 'ehr';
SELECT pg_reload_conf();
SELECT pg_sleep(0.2);
\set ECHO all
BEGIN;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT ehr.session() - 'sid' - 'expires' AS session;
COMMIT;
SELECT ehr.session() IS NULL AS nobody;
