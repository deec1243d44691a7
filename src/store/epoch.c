/*
 * epoch.c
 *		Which life of the store this is, for the order of changes.
 *
 * The change feed orders versions by the transaction that wrote them.  After a
 * dump has been restored into another cluster, transaction numbers begin anew
 * there; the epoch, one more for each cluster that the store has lived in,
 * comes before them.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(ehr_current_epoch);

/*
 * ehr_internal.current_epoch() → int, VOLATILE: called in system mode.  A cluster
 * not seen before gets the next number.  Known numbers are remembered for the
 * session; one that this transaction has just added is not, since it may roll back.
 */
Datum
ehr_current_epoch(PG_FUNCTION_ARGS)
{
	static Oid	known_database = InvalidOid;
	static int32 known_epoch;
	Oid			argtype = INT8OID;
	Datum		arg = Int64GetDatum((int64) GetSystemIdentifier());
	bool		isnull;
	int32		epoch;

	if (known_database == MyDatabaseId)
		PG_RETURN_INT32(known_epoch);

	SPI_connect();
	if (SPI_execute_with_args("SELECT e.epoch FROM ehr_store.epoch e WHERE e.system_identifier OPERATOR(pg_catalog.=) $1",
							  1, &argtype, &arg, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the epoch");
	if (SPI_processed == 1)
	{
		epoch = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		known_database = MyDatabaseId;
		known_epoch = epoch;
	}
	else
	{
		if (SPI_execute_with_args("INSERT INTO ehr_store.epoch AS e (epoch, system_identifier)"
								  " SELECT COALESCE(pg_catalog.max(o.epoch), 0) OPERATOR(pg_catalog.+) 1, $1 FROM ehr_store.epoch o"
								  " ON CONFLICT (system_identifier) DO UPDATE SET system_identifier = excluded.system_identifier"
								  " RETURNING e.epoch",
								  1, &argtype, &arg, NULL, false, 1) != SPI_OK_INSERT_RETURNING)
			elog(ERROR, "could not begin an epoch");
		epoch = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_finish();
	PG_RETURN_INT32(epoch);
}
