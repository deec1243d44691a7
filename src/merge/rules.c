/*
 * rules.c
 *		How the elements of a resource are merged: data.
 *
 * An element that is not in the table is taken by its newest statement where
 * it occurs once, and as the union of its items by content where it repeats.
 */
#include "postgres.h"

#include "core/fhir_model.h"
#include "merge/merge.h"

static const MergeKey by_system_value[] = {{"system"}, {"value"}, {NULL}};
static const MergeKey by_system_value_period[] = {{"system"}, {"value"}, {"period"}, {NULL}};
static const MergeKey by_line_period[] = {{"line"}, {"text"}, {"period"}, {NULL}};
static const MergeKey by_use_period[] = {{"use", "official"}, {"period"}, {NULL}};
static const MergeKey by_language[] = {{"language"}, {NULL}};
static const MergeKey by_type_id[] = {{"resourceType"}, {"id"}, {NULL}};
static const MergeKey by_full_url[] = {{"fullUrl"}, {NULL}};

/* A person may have many names of these uses at a time. */
static const char *const many_of_use[] = {"use", "old", "maiden", "nickname", "temp", "anonymous", NULL};

static const MergeClass deceased_classes[] = {
	{"deceasedDateTime", NULL, 3},
	{"deceasedBoolean", "true", 2},
	{"deceasedBoolean", "false", 1},
	{NULL, NULL, 0}
};
static const MergeClass relative_deceased_classes[] = {
	{"deceasedDate", NULL, 6},
	{"deceasedAge", NULL, 5},
	{"deceasedRange", NULL, 4},
	{"deceasedString", NULL, 3},
	{"deceasedBoolean", "true", 2},
	{"deceasedBoolean", "false", 1},
	{NULL, NULL, 0}
};
static const MergeClass occurrence_classes[] = {
	{"occurrenceDateTime", NULL, 2},
	{"occurrenceString", NULL, 1},
	{NULL, NULL, 0}
};
static const MergeClass criticality_classes[] = {
	{NULL, "high", 3},
	{NULL, "unable-to-assess", 2},
	{NULL, "low", 1},
	{NULL, NULL, 0}
};
static const MergeClass clinical_classes[] = {
	{NULL, "active", 3},
	{NULL, "inactive", 2},
	{NULL, "resolved", 1},
	{NULL, NULL, 0}
};
static const MergeClass verification_classes[] = {
	{NULL, "confirmed", 4},
	{NULL, "unconfirmed", 3},
	{NULL, "refuted", 2},
	{NULL, "entered-in-error", 1},
	{NULL, NULL, 0}
};
static const MergeClass flag_classes[] = {
	{NULL, "active", 3},
	{NULL, "inactive", 2},
	{NULL, "entered-in-error", 1},
	{NULL, NULL, 0}
};
static const MergeClass severity_classes[] = {
	{NULL, "high", 3},
	{NULL, "moderate", 2},
	{NULL, "low", 1},
	{NULL, NULL, 0}
};

#define ELEMENT(name)	name, sizeof(name) - 1, false
#define CHOICE(name)	name, sizeof(name) - 1, true

/* The first row that fits is taken. */
static const MergeRule rules[] = {
	/* who it is */
	{NULL, ELEMENT("identifier"), MERGE_EACH, .keys = by_system_value},
	{NULL, ELEMENT("name"), MERGE_EACH, .keys = by_use_period, .content_keys = many_of_use, .prefer = PREFER_MARKED},
	{NULL, ELEMENT("telecom"), MERGE_EACH, .keys = by_system_value_period},
	{NULL, ELEMENT("address"), MERGE_EACH, .keys = by_line_period},
	{NULL, ELEMENT("birthDate"), MERGE_DATE, .date_name = "valueDate"},
	{"Patient", CHOICE("deceased"), MERGE_DATE, .date_name = "valueDateTime", .classes = deceased_classes},
	{"FamilyMemberHistory", CHOICE("deceased"), MERGE_ONE, .classes = relative_deceased_classes},
	{"Patient", ELEMENT("communication"), MERGE_EACH, .keys = by_language},

	/* one event told by two: what each knows about its time and its code */
	{"Immunization", CHOICE("occurrence"), MERGE_DATE, .date_name = "valueDateTime", .classes = occurrence_classes},
	{"Immunization", ELEMENT("vaccineCode"), MERGE_ONE, .prefer = PREFER_FULLEST},
	{"AllergyIntolerance", ELEMENT("code"), MERGE_ONE, .prefer = PREFER_FULLEST},

	/* safety: the more careful statement survives whatever its date */
	{"AllergyIntolerance", ELEMENT("criticality"), MERGE_ONE, .classes = criticality_classes},
	{"AllergyIntolerance", ELEMENT("clinicalStatus"), MERGE_ONE, .classes = clinical_classes},
	{"AllergyIntolerance", ELEMENT("verificationStatus"), MERGE_ONE, .classes = verification_classes},
	{"Flag", ELEMENT("status"), MERGE_ONE, .classes = flag_classes},
	{"DetectedIssue", ELEMENT("severity"), MERGE_ONE, .classes = severity_classes},

	/* lists that only make sense as a whole: half of one and half of another would be a new statement */
	{NULL, ELEMENT("dosage"), MERGE_WHOLE},
	{NULL, ELEMENT("dosageInstruction"), MERGE_WHOLE},
	{"Composition", ELEMENT("section"), MERGE_WHOLE},
	{"Questionnaire", ELEMENT("item"), MERGE_WHOLE},
	{"QuestionnaireResponse", ELEMENT("item"), MERGE_WHOLE},
	{"Bundle", ELEMENT("entry"), MERGE_EACH, .keys = by_full_url},
	{"Parameters", ELEMENT("parameter"), MERGE_WHOLE},

	/* every resource */
	{NULL, ELEMENT("extension"), MERGE_GROUP, .place = PLACE_VALUE},
	{NULL, ELEMENT("modifierExtension"), MERGE_EACH, .place = PLACE_VALUE},
	{NULL, ELEMENT("contained"), MERGE_EACH, .keys = by_type_id, .place = PLACE_META},
};

/* The parts of meta that are the union of both documents'. */
static const MergeKey by_system_code[] = {{"system"}, {"code"}, {NULL}};
static const MergeRule meta_rules[] = {
	{NULL, ELEMENT("profile"), MERGE_EACH},
	{NULL, ELEMENT("security"), MERGE_EACH, .keys = by_system_code},
	{NULL, ELEMENT("tag"), MERGE_EACH, .keys = by_system_code},
	{NULL, ELEMENT("extension"), MERGE_EACH},
};

static const MergeRule one_rule = {NULL, ELEMENT("*"), MERGE_ONE};
static const MergeRule each_rule = {NULL, ELEMENT("*"), MERGE_EACH};

const MergeRule *
merge_each_rule(void)
{
	return &each_rule;
}

/* merge_meta_rule gives the rule of a part of meta; NULL where it is not merged. */
const MergeRule *
merge_meta_rule(MergeText name)
{
	for (int i = 0; i < (int) lengthof(meta_rules); i++)
		if (meta_rules[i].len == name.len &&
			memcmp(meta_rules[i].element, name.data, name.len) == 0)
			return &meta_rules[i];
	return NULL;
}

int
merge_nrules(void)
{
	return lengthof(rules);
}

const MergeRule *
merge_rule_at(int i)
{
	return &rules[i];
}

/* Is name this element, or one of the types of this choice? */
static bool
rule_names(const MergeRule *rule, MergeText name)
{
	int			len = rule->len;

	if (name.len < len || name.data[0] != rule->element[0] || memcmp(name.data, rule->element, len) != 0)
		return false;
	return rule->choice ? name.len > len && name.data[len] >= 'A' && name.data[len] <= 'Z' : name.len == len;
}

/*
 * merge_rule finds the rule of the element `name` of a resource; model is the
 * type's index in the model.  *slot gets what competes: the element, for a
 * choice without its type.  A rule that does not fit the shape (an array where
 * it occurs once) gives way to the general one.
 */
const MergeRule *
merge_rule(MergeText type, int model, MergeText name, bool repeats, MergeText *slot)
{
	const FhirElement *element;

	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		const MergeRule *rule = &rules[i];

		if ((rule->kind >= MERGE_EACH) != repeats || !rule_names(rule, name))
			continue;
		if (rule->type != NULL &&
			((int) strlen(rule->type) != type.len || memcmp(rule->type, type.data, type.len) != 0))
			continue;
		slot->data = rule->element;
		slot->len = rule->len;
		return rule;
	}
	*slot = name;
	element = model > 0 ? fhir_element_find(model, name.data, name.len) : NULL;
	if (element != NULL && (element->flags & FHIR_CHOICE))
		slot->len = element->base_len;
	return repeats ? &each_rule : &one_rule;
}

/* Does a class's value stand in the element: as the primitive itself, or as one of its codes? */
static bool
class_value_fits(const char *wanted, const MergeElement *element)
{
	JsonbValue	codings;
	JsonbValue *items;
	int			n;
	MergeText	code;
	const JsonbValue *value = &element->value;

	if (wanted == NULL)
		return true;
	if (!element->has_value)
		return false;
	if (value->type == jbvBool)
		return strcmp(wanted, value->val.boolean ? "true" : "false") == 0;
	if (value->type == jbvString)
		return (int) strlen(wanted) == value->val.string.len &&
			memcmp(wanted, value->val.string.val, value->val.string.len) == 0;
	if (!json_is_object(value) || !json_field(value, "coding", &codings))
		return false;
	n = json_items(&codings, &items);
	for (int i = 0; i < n; i++)
		if (json_field_text(&items[i], "code", &code) && (int) strlen(wanted) == code.len &&
			memcmp(wanted, code.data, code.len) == 0)
			return true;
	return false;
}

/* merge_class gives the class of an element: a rule's classes are sorted, the highest first. */
int
merge_class(const MergeRule *rule, MergeElement *element)
{
	if (rule->prefer == PREFER_FULLEST)
		return merge_leaves(element);
	if (rule->prefer == PREFER_MARKED)
		return element->has_value && json_has_marks(&element->value);
	if (rule->classes == NULL)
		return 0;
	for (const MergeClass *class = rule->classes; class->class > 0; class++)
	{
		if (class->name != NULL &&
			((int) strlen(class->name) != element->name.len ||
			 memcmp(class->name, element->name.data, element->name.len) != 0))
			continue;
		if (class_value_fits(class->value, element))
			return class->class;
	}
	return 0;
}
