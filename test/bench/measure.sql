-- Measuring, for every part of test/bench/run. CPU time is the backend's own, from the kernel (/proc/self/schedstat), which
-- knows it exactly when the process has just slept, else up to the last tick;
-- what is compared takes turns. A part that uses @source or @numbers sets bench.source, bench.numbers.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
CREATE TABLE figure (part text, what text, round int, ns bigint);

CREATE FUNCTION cpu() RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint FROM pg_sleep(0.001) $$;

-- Runs each command once a round, in turn; a command of several lines is prepared by all but the last.
CREATE PROCEDURE measure(part text, rounds int, VARIADIC commands text[]) LANGUAGE plpgsql AS $$
DECLARE
	command text;
	steps text[];
	source text := quote_literal(coalesce(current_setting('bench.source', true), ''));
	numbers text := quote_literal(coalesce(current_setting('bench.numbers', true), ''));
	start bigint;
BEGIN
	FOR round IN 0 .. rounds LOOP
		FOREACH command IN ARRAY commands LOOP
			steps := string_to_array(replace(replace(split_part(command, ': ', 2), '@source', source), '@numbers', numbers), E'\n');
			FOR i IN 1 .. array_length(steps, 1) - 1 LOOP
				EXECUTE steps[i];
			END LOOP;
			COMMIT;
			start := cpu();
			EXECUTE steps[array_length(steps, 1)];
			COMMIT;
			IF round > 0 THEN
				INSERT INTO figure VALUES (part, split_part(command, ': ', 1), round, cpu() - start);
			END IF;
		END LOOP;
	END LOOP;
END $$;

CREATE VIEW median AS SELECT part, what, percentile_disc(0.5) WITHIN GROUP (ORDER BY ns) / 1e6 AS ms FROM figure GROUP BY part, what;
-- of two that took turns: the median of the rounds' ratios, so that a busy minute weighs on both
CREATE VIEW ratio AS SELECT part, a.what, b.what AS than, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY a.ns::float8 / b.ns)::numeric, 2) AS ratio
FROM figure a JOIN figure b USING (part, round) GROUP BY part, a.what, b.what;
