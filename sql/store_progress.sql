---------------------------------------------------------------------------------------------------
-- store: what long work is at (doc/store.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.running_work(OUT pid int, OUT work text, OUT phase text, OUT done bigint, OUT total bigint, OUT started timestamptz) RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 5
	AS 'MODULE_PATHNAME', 'ehr_running_work';
COMMENT ON FUNCTION ehr.running_work() IS 'long work of this database while it runs: phase, how much of how much is done; behind view ehr.progress';

CREATE VIEW ehr.progress AS SELECT w.pid, w.work, w.phase, w.done, w.total, w.started FROM ehr.running_work() AS w;
COMMENT ON VIEW ehr.progress IS 'long work of this database while it runs, such as ehr.link_all()';
GRANT SELECT ON ehr.progress TO PUBLIC;
