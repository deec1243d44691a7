/*
 * questionnaire.h
 *		What the files share that lay a Questionnaire on its answers.
 */
#ifndef EHR_VALIDATE_QUESTIONNAIRE_H
#define EHR_VALIDATE_QUESTIONNAIRE_H

#include "lib/stringinfo.h"

#include "validate/validate.h"

/* One level of items of the response, from the innermost outwards */
typedef struct AnswerLevel
{
	const struct AnswerLevel *up;
	const JsonNode *items;
} AnswerLevel;

typedef struct Answers
{
	Validation *v;
	const JsonNode *questionnaire;
	StringInfoData path;
	bool		complete;		/* required answers must be there */
	const AnswerLevel *level;
} Answers;

/* An error at the path of the run */
extern void answer_fault(Answers *a, const char *code, const char *rule, const char *text);

/* The key under which an answer (or option, initial, enableWhen: `prefix` answer) holds its value, NULL if it has none */
extern const JsonNode *choice_value(const JsonNode *object, const char *prefix);

/* Values of the extensions of a url (one of R4's own, told by its last part) */
extern const JsonNode *extension_value(const JsonNode *element, const char *name, int *from);

/* A whole number that an extension gives; -1: it does not */
extern long extension_number(const JsonNode *element, const char *name);

/* What a question says of one answer (answers.c) */
extern void check_answer(Answers *a, const JsonNode *question, const JsonNode *answer);

/* What it says of all of them together */
extern void check_answer_options(Answers *a, const JsonNode *question, const JsonNode *answers);

/* Whether enableWhen enables a question: 1 yes, 0 no, -1 it cannot be told (enable_when.c) */
extern int	question_enabled(const Answers *a, const JsonNode *question);

#endif							/* EHR_VALIDATE_QUESTIONNAIRE_H */
