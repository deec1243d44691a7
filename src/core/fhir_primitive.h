/*
 * fhir_primitive.h
 *		The formats of FHIR R4's primitive types (hl7.org/fhir/R4/datatypes.html#primitive).
 *
 * All functions are pure: no allocation, no state, input of any bytes and any
 * length, no NUL at the end needed.
 */
#ifndef EHR_FHIR_PRIMITIVE_H
#define EHR_FHIR_PRIMITIVE_H

#include "core.h"

/* Frozen: alphabetical; the type indexes of the model (fhir_model.h) */
typedef enum FhirPrimitive
{
	FHIR_BASE64BINARY = 1,
	FHIR_BOOLEAN,
	FHIR_CANONICAL,
	FHIR_CODE,
	FHIR_DATE,
	FHIR_DATETIME,
	FHIR_DECIMAL,
	FHIR_ID,
	FHIR_INSTANT,
	FHIR_INTEGER,
	FHIR_MARKDOWN,
	FHIR_OID,
	FHIR_POSITIVEINT,
	FHIR_STRING,
	FHIR_TIME,
	FHIR_UNSIGNEDINT,
	FHIR_URI,
	FHIR_URL,
	FHIR_UUID,
	FHIR_XHTML
} FhirPrimitive;

/* The longest string and markdown: "SHALL NOT exceed 1MB (1024*1024 characters)" */
#define FHIR_STRING_MAX		(1024 * 1024)

/*
 * The longest number, its length and exponent added up (a limit of ours, FHIR
 * has none): what is accepted with an exponent is so too when it is printed without.
 */
#define FHIR_NUMBER_MAX		1000

typedef enum FhirJsonKind
{
	FHIR_JSON_STRING,
	FHIR_JSON_NUMBER,
	FHIR_JSON_BOOLEAN
} FhirJsonKind;

/* How much of a date or time was given */
typedef enum FhirPrecision
{
	FHIR_PRECISION_YEAR,
	FHIR_PRECISION_MONTH,
	FHIR_PRECISION_DAY,
	FHIR_PRECISION_SECOND,		/* R4 knows no hours or minutes alone */
	FHIR_PRECISION_FRACTION
} FhirPrecision;

typedef struct FhirDateTime
{
	int			year;
	int			month;			/* 1 where not given */
	int			day;			/* 1 where not given */
	int			hour;
	int			minute;
	int			second;			/* 60 in a leap second */
	int			nanosecond;		/* further digits are cut off */
	int			zone;			/* minutes east of UTC */
	FhirPrecision precision;
} FhirDateTime;

/* Which kind of JSON value a primitive type is written as. */
extern FhirJsonKind fhir_primitive_json_kind(FhirPrimitive type);

/*
 * Whether a text is a value of the type.  Numbers are given as they are written
 * in JSON.  xhtml is only checked for being not empty: see fhir_xhtml.h.
 */
extern bool fhir_primitive_valid(FhirPrimitive type, const char *text, size_t len);

/* What the type's values look like: a sentence for an error's hint. */
extern const char *fhir_primitive_hint(FhirPrimitive type);

/* The parts of a date, dateTime or instant; false if the text is none. */
extern bool fhir_datetime_parse(FhirPrimitive type, const char *text, size_t len, FhirDateTime *result);

/* Days of a month in the Gregorian calendar; 0 for a month that there is not. */
extern int	fhir_days_in_month(int year, int month);

/* Whether the text is [A-Za-z0-9.-]{1,64} */
extern bool fhir_id_valid(const char *text, size_t len);

#endif							/* EHR_FHIR_PRIMITIVE_H */
