-- units of measure: validity and conversion, beside PostgreSQL's own numeric
SET search_path = ehr, public;
\set VERBOSITY default
SELECT u, ucum_valid(u) FROM unnest(ARRAY['mg/dL', 'mm[Hg]', '10*3/uL', '/min', '{score}', 'mL/min/{1.73_m2}', '', 'mg/dl', 'MG/DL', 'm m', 'days', 'Cel/m']) AS u;
SELECT convert_quantity(1, '[lb_av]', 'g') AS gram, convert_quantity(98.6, '[degF]', 'Cel') AS celsius, convert_quantity(1.50, 'm', 'cm') AS cm,
	convert_quantity(5.5, 'mmol/L', 'umol/mL') AS same, convert_quantity(120, 'mm[Hg]', 'kPa') AS kpa, convert_quantity(1, '[Ch]', 'mm') AS french,
	convert_quantity(7.4, '[pH]', 'nmol/L') AS hydrogen, convert_quantity(250, 'm[iU]/mL', '[iU]/L') AS units;
SELECT convert_quantity(0, 'kg', 'g') AS zero, convert_quantity(-0.000000000001, 'kg', 'ng') AS small, convert_quantity(99999999999999999999999999999999999999, 'g', 'g') AS large;
-- what is written comes back: every scale, and what numeric makes of it
SELECT count(*) AS different FROM generate_series(-60, 60) AS n, generate_series(0, 12) AS s,
	LATERAL (SELECT round((n * 12345.678901234 / 7)::numeric, s) AS v) AS x
WHERE convert_quantity(v, 'm', 'm')::text <> v::text OR convert_quantity(v, 'km', 'm') <> v * 1000 OR convert_quantity(v, 'm', 'km') <> v / 1000;
SELECT convert_quantity(convert_quantity(v, '[in_i]', 'cm'), 'cm', '[in_i]') = v AS back FROM (VALUES (72.25), (0.001), (123456789.5)) AS x (v);
-- what is refused
SELECT convert_quantity(1, 'kg', 'm');
SELECT convert_quantity(1, 'kg', 'pounds');
SELECT convert_quantity(1, 'mg/xyz', 'g');
SELECT convert_quantity(1, repeat('m.', 200) || 'm', 'g');
SELECT convert_quantity('NaN', 'g', 'mg');
SELECT convert_quantity(1e40, 'g', 'mg');
SELECT convert_quantity(1e30, 'Ym', 'ym');
SELECT convert_quantity(-1, 'mol/L', '[pH]');
SELECT convert_quantity(NULL, 'g', 'mg') IS NULL AS strict;
