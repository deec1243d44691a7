#include "postgres.h"
#include "validate/validate.h"
void check_bindings(Validation *v, const FhirVisit *visit){}
void check_questionnaire_response(Validation *v, const FhirVisit *visit){}
void check_profiles(Validation *v, const char *profile){}
