/*
 * fhirpath_factory.c
 *		%factory: elements made by an expression (R4's FHIRPath page, "Type Factory API").
 */
#include "fhirpath_eval.h"

const FpFunction fp_factory_functions[] = {
	{NULL, 0, 0, 0, 0, NULL, NULL}
};
